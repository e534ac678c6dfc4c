// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "abi/net_v10.h"

#include "calls.h"
#include "errors.h"

namespace ulysses::nccl {
namespace {

NcclResult init(DebugLogger log, ProfilerCallback) { return initPlugin(nullptr, log); }

NcclResult getProperties(int device, PropertiesV10* properties) {
  return guard("getProperties", [&] {
    fillSince9(*properties, deviceAt(device), device);
    return NcclResult::Success;
  });
}

NcclResult listen(int device, void* handle, void** listenComm) { return listenOn(nullptr, device, handle, listenComm); }

NcclResult connect(int device, CommConfig*, void* handle, void** sendComm, void** deviceComm) {
  return connectTo(nullptr, device, handle, sendComm, deviceComm);
}

NcclResult isend(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void*, void** request) {
  return sendMessage(sendComm, data, bytes, tag, mhandle, request);
}

NcclResult irecv(void* recvComm, int n, void** data, size_t* sizes, int* tags, void** mhandles, void**,
                 void** request) {
  return receiveMessages(recvComm, n, data, sizes, tags, mhandles, request);
}

constexpr NetV10 table() {
  auto net = tableOfCommon<NetV10>();
  net.init = init;
  net.getProperties = getProperties;
  net.listen = listen;
  net.connect = connect;
  net.isend = isend;
  net.irecv = irecv;
  return net;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) constinit const NetV10 ncclNetPlugin_v10 = table();

}  // namespace ulysses::nccl
