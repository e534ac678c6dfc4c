// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Version 8: NCCL 2.20 to 2.30.
#pragma once
#include "abi/common.h"

namespace ulysses::nccl {

struct PropertiesV8 {
  const char* name;
  const char* pciPath;
  uint64_t guid;
  int ptrSupport;
  int regIsGlobal;
  int speed;  // Mb/s
  int port;
  float latency;  // us
  int maxComms;
  int maxRecvs;
  int netDeviceType;
  int netDeviceVersion;
};
static_assert(sizeof(PropertiesV8) == 64 && offsetof(PropertiesV8, speed) == 32 &&
              offsetof(PropertiesV8, netDeviceVersion) == 56);

struct NetV8 {
  const char* name;
  NcclResult (*init)(DebugLogger log);
  DevicesFn devices;
  NcclResult (*getProperties)(int device, PropertiesV8* properties);
  NcclResult (*listen)(int device, void* handle, void** listenComm);
  NcclResult (*connect)(int device, void* handle, void** sendComm, void** deviceComm);
  AcceptFn accept;
  RegMrFn regMr;
  RegMrDmaBufFn regMrDmaBuf;
  DeregMrFn deregMr;
  NcclResult (*isend)(void* sendComm, void* data, int bytes, int tag, void* mhandle, void** request);
  NcclResult (*irecv)(void* recvComm, int n, void** data, int* sizes, int* tags, void** mhandles, void** request);
  IflushFn iflush;
  TestFn test;
  CloseFn closeSend;
  CloseFn closeRecv;
  CloseFn closeListen;
  GetDeviceMrFn getDeviceMr;
  IrecvConsumedFn irecvConsumed;
};
static_assert(sizeof(NetV8) == 19 * sizeof(void*));

}  // namespace ulysses::nccl
