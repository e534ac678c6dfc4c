// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The plugin's functions, free of versions. Those with the signature of every version go into the tables as they are;
// net_v8.cc to net_v12.cc wrap the others.
#pragma once
#include "abi/common.h"
#include "devices.h"
#include "transport.h"

namespace ulysses::nccl {

/// How NCCL names the network: NCCL_NET, and "Using network" in its log.
inline constexpr const char* kName = "Ulysses";

/// `context` may be null, for versions that have none.
NcclResult initPlugin(void** context, DebugLogger log) noexcept;
NcclResult finalizePlugin(void* context) noexcept;

NcclResult countDevices(int* count) noexcept;
NcclResult listenOn(void* context, int device, void* handle, void** listenComm) noexcept;
NcclResult connectTo(void* context, int device, void* handle, void** sendComm, void** deviceComm) noexcept;
NcclResult acceptOn(void* listenComm, void** recvComm, void** deviceComm) noexcept;
NcclResult registerMemory(void* comm, void* data, size_t bytes, int type, void** mhandle) noexcept;
/// Always refused, in words: see pointersOf().
NcclResult registerDmaBuf(void* comm, void* data, size_t bytes, int type, uint64_t offset, int fd,
                          void** mhandle) noexcept;
NcclResult deregisterMemory(void* comm, void* mhandle) noexcept;
NcclResult sendMessage(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void** request) noexcept;
NcclResult receiveMessages(void* recvComm, int n, void** data, const size_t* sizes, const int* tags,
                           void* const* mhandles, void** request) noexcept;
NcclResult flushNothing(void* recvComm, int n, void** data, int* sizes, void** mhandles, void** request) noexcept;
NcclResult testRequest(void* request, int* done, int* sizes) noexcept;
NcclResult closeConnection(void* comm) noexcept;
NcclResult closeListener(void* listenComm) noexcept;

/// The fields that all versions have.
template <typename Properties>
void fillCommon(Properties& properties, const NetDevice& device) {
  properties = {};
  properties.name = device.name.c_str();
  properties.pciPath = device.pciPath.empty() ? nullptr : device.pciPath.c_str();
  properties.guid = device.guid;
  properties.ptrSupport = pointersOf(device);
  properties.speed = device.speedMbps;
  properties.port = device.port;
  properties.maxComms = 65536;
  properties.maxRecvs = 8;
  properties.netDeviceType = kDeviceTypeHost;
}

/// Those since version 9: a device is not fused of others; sizes fit into the int that test() reports.
template <typename Properties>
void fillSince9(Properties& properties, const NetDevice& device, int index) {
  fillCommon(properties, device);
  properties.vProps.count = 1;
  properties.vProps.devices[0] = index;
  properties.maxP2pBytes = properties.maxCollBytes = size_t{1} << 30;
}

/// The functions that are the same in the table of every version; what this plugin does not have stays null.
template <typename Net>
constexpr Net tableOfCommon() {
  Net net{};
  net.name = kName;
  net.devices = countDevices;
  net.accept = acceptOn;
  net.regMr = registerMemory;
  net.regMrDmaBuf = registerDmaBuf;
  net.deregMr = deregisterMemory;
  net.iflush = flushNothing;
  net.test = testRequest;
  net.closeSend = net.closeRecv = closeConnection;
  net.closeListen = closeListener;
  return net;
}

}  // namespace ulysses::nccl
