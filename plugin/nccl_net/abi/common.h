// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What NCCL and a net plugin tell each other, by our own declarations: results, constants, and the functions that are
// the same in every version of the interface from 8 to 12. Layouts are those of x86-64 and aarch64.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ulysses::nccl {

/// ncclResult_t; 8 and above differ among NCCL's versions and are never used.
enum class NcclResult : int {
  Success = 0,
  UnhandledCudaError = 1,
  SystemError = 2,
  InternalError = 3,
  InvalidArgument = 4,
  InvalidUsage = 5,
  RemoteError = 6,
  InProgress = 7,
};

inline constexpr size_t kHandleBytes = 128;        // NCCL_NET_HANDLE_MAXSIZE
inline constexpr int kMaxRequests = 32;            // NCCL_NET_MAX_REQUESTS, for each receive of a group
inline constexpr int kPointerHost = 1;             // NCCL_PTR_HOST
inline constexpr int kPointerCuda = 2;             // NCCL_PTR_CUDA
inline constexpr int kDeviceTypeHost = 0;          // NCCL_NET_DEVICE_HOST
inline constexpr int16_t kNetIdUndefined = -1;     // NCCL_NET_ID_UNDEF
inline constexpr int kTrafficClassUndefined = -1;  // NCCL_NET_TRAFFIC_CLASS_UNDEF

enum class LogLevel : int { None = 0, Version = 1, Warn = 2, Info = 3, Abort = 4, Trace = 5 };
inline constexpr unsigned long kLogInit = 0x1, kLogNet = 0x10, kLogEnv = 0x80;

using DebugLogger = void (*)(LogLevel level, unsigned long flags, const char* file, int line, const char* format, ...);
using ProfilerCallback = NcclResult (*)(void** event, int type, void* phandle, int64_t pluginId, void* data);

/// ncclNetCommConfig_t, versions 10 to 12.
struct CommConfig {
  int trafficClass;
};

using DevicesFn = NcclResult (*)(int* count);
using AcceptFn = NcclResult (*)(void* listenComm, void** recvComm, void** deviceComm);
using RegMrFn = NcclResult (*)(void* comm, void* data, size_t bytes, int type, void** mhandle);
using RegMrDmaBufFn = NcclResult (*)(void* comm, void* data, size_t bytes, int type, uint64_t offset, int fd,
                                     void** mhandle);
using DeregMrFn = NcclResult (*)(void* comm, void* mhandle);
using IflushFn = NcclResult (*)(void* recvComm, int n, void** data, int* sizes, void** mhandles, void** request);
using TestFn = NcclResult (*)(void* request, int* done, int* sizes);
using CloseFn = NcclResult (*)(void* comm);
using GetDeviceMrFn = NcclResult (*)(void* comm, void* mhandle, void** deviceMhandle);
using IrecvConsumedFn = NcclResult (*)(void* recvComm, int n, void* request);

/// NIC fusion: a device made of several.
template <int kMax>
struct VirtualDevice {
  int count;
  int devices[kMax];
};

}  // namespace ulysses::nccl
