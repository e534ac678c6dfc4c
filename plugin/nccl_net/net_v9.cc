// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "abi/net_v9.h"

#include "calls.h"
#include "errors.h"

namespace ulysses::nccl {
namespace {

NcclResult init(DebugLogger log) { return initPlugin(nullptr, log); }

NcclResult getProperties(int device, PropertiesV9* properties) {
  return guard("getProperties", [&] {
    fillSince9(*properties, deviceAt(device), device);
    return NcclResult::Success;
  });
}

NcclResult listen(int device, void* handle, void** listenComm) { return listenOn(nullptr, device, handle, listenComm); }

NcclResult connect(int device, void* handle, void** sendComm, void** deviceComm) {
  return connectTo(nullptr, device, handle, sendComm, deviceComm);
}

NcclResult isend(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void** request) {
  return sendMessage(sendComm, data, bytes, tag, mhandle, request);
}

NcclResult irecv(void* recvComm, int n, void** data, size_t* sizes, int* tags, void** mhandles, void** request) {
  return receiveMessages(recvComm, n, data, sizes, tags, mhandles, request);
}

constexpr NetV9 table() {
  auto net = tableOfCommon<NetV9>();
  net.init = init;
  net.getProperties = getProperties;
  net.listen = listen;
  net.connect = connect;
  net.isend = isend;
  net.irecv = irecv;
  return net;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) constinit const NetV9 ncclNetPlugin_v9 = table();

}  // namespace ulysses::nccl
