// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Version 10: NCCL 2.26 to 2.30. Traffic classes, and events for profilers.
#pragma once
#include "abi/net_v9.h"

namespace ulysses::nccl {

using PropertiesV10 = PropertiesV9;

struct NetV10 {
  const char* name;
  NcclResult (*init)(DebugLogger log, ProfilerCallback profiler);
  DevicesFn devices;
  NcclResult (*getProperties)(int device, PropertiesV10* properties);
  NcclResult (*listen)(int device, void* handle, void** listenComm);
  NcclResult (*connect)(int device, CommConfig* config, void* handle, void** sendComm, void** deviceComm);
  AcceptFn accept;
  RegMrFn regMr;
  RegMrDmaBufFn regMrDmaBuf;
  DeregMrFn deregMr;
  NcclResult (*isend)(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void* phandle, void** request);
  NcclResult (*irecv)(void* recvComm, int n, void** data, size_t* sizes, int* tags, void** mhandles, void** phandles,
                      void** request);
  IflushFn iflush;
  TestFn test;
  CloseFn closeSend;
  CloseFn closeRecv;
  CloseFn closeListen;
  GetDeviceMrFn getDeviceMr;
  IrecvConsumedFn irecvConsumed;
  NcclResult (*makeVDevice)(int* device, VirtualDevice<4>* properties);
};
static_assert(sizeof(NetV10) == 20 * sizeof(void*));

}  // namespace ulysses::nccl
