// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Version 9: NCCL 2.24 to 2.30. Sizes are size_t, devices can be fused.
#pragma once
#include "abi/common.h"

namespace ulysses::nccl {

struct PropertiesV9 {
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
  VirtualDevice<4> vProps;
  size_t maxP2pBytes;
  size_t maxCollBytes;
};
static_assert(sizeof(PropertiesV9) == 104 && offsetof(PropertiesV9, speed) == 36 &&
              offsetof(PropertiesV9, vProps) == 64 && offsetof(PropertiesV9, maxP2pBytes) == 88);

struct NetV9 {
  const char* name;
  NcclResult (*init)(DebugLogger log);
  DevicesFn devices;
  NcclResult (*getProperties)(int device, PropertiesV9* properties);
  NcclResult (*listen)(int device, void* handle, void** listenComm);
  NcclResult (*connect)(int device, void* handle, void** sendComm, void** deviceComm);
  AcceptFn accept;
  RegMrFn regMr;
  RegMrDmaBufFn regMrDmaBuf;
  DeregMrFn deregMr;
  NcclResult (*isend)(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void** request);
  NcclResult (*irecv)(void* recvComm, int n, void** data, size_t* sizes, int* tags, void** mhandles, void** request);
  IflushFn iflush;
  TestFn test;
  CloseFn closeSend;
  CloseFn closeRecv;
  CloseFn closeListen;
  GetDeviceMrFn getDeviceMr;
  IrecvConsumedFn irecvConsumed;
  NcclResult (*makeVDevice)(int* device, VirtualDevice<4>* properties);
};
static_assert(sizeof(NetV9) == 20 * sizeof(void*));

}  // namespace ulysses::nccl
