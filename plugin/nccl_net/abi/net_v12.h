// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Version 12 (NCCL 2.30) and version 11 (2.28 to 2.30), which differ in the properties only: init and finalize are for
// each communicator.
#pragma once
#include "abi/net_v9.h"

namespace ulysses::nccl {

struct PropertiesV11 : PropertiesV9 {
  int maxMultiRequestSize;
};
static_assert(sizeof(PropertiesV11) == 112);

struct PropertiesV12 {
  const char* name;
  const char* pciPath;
  uint64_t guid;
  int ptrSupport;
  int regIsGlobal;
  int forceFlush;
  int speed;
  int port;
  float latency;
  int maxComms;
  int maxRecvs;
  int netDeviceType;
  int netDeviceVersion;
  VirtualDevice<8> vProps;
  size_t maxP2pBytes;
  size_t maxCollBytes;
  int maxMultiRequestSize;
  int16_t railId;
  int16_t planeId;
};
static_assert(sizeof(PropertiesV12) == 128 && offsetof(PropertiesV12, vProps) == 64 &&
              offsetof(PropertiesV12, maxP2pBytes) == 104 && offsetof(PropertiesV12, railId) == 124);

template <typename Properties, int kMaxFused>
struct PerCommunicatorNet {
  const char* name;
  NcclResult (*init)(void** context, uint64_t commId, CommConfig* config, DebugLogger log, ProfilerCallback profiler);
  DevicesFn devices;
  NcclResult (*getProperties)(int device, Properties* properties);
  NcclResult (*listen)(void* context, int device, void* handle, void** listenComm);
  NcclResult (*connect)(void* context, int device, void* handle, void** sendComm, void** deviceComm);
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
  NcclResult (*makeVDevice)(int* device, VirtualDevice<kMaxFused>* properties);
  NcclResult (*finalize)(void* context);
  NcclResult (*setNetAttr)(void* context, void* attributes);
};

using NetV11 = PerCommunicatorNet<PropertiesV11, 4>;
using NetV12 = PerCommunicatorNet<PropertiesV12, 8>;
static_assert(sizeof(NetV11) == 22 * sizeof(void*) && sizeof(NetV12) == 22 * sizeof(void*));

}  // namespace ulysses::nccl
