// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "abi/net_v12.h"
#include "calls.h"
#include "errors.h"

namespace ulysses::nccl {
namespace {

NcclResult init(void** context, uint64_t, CommConfig*, DebugLogger log, ProfilerCallback) {
  return initPlugin(context, log);
}

NcclResult getProperties(int device, PropertiesV11* properties) {
  return guard("getProperties", [&] {
    fillSince9(*properties, deviceAt(device), device);
    properties->maxMultiRequestSize = 1;
    return NcclResult::Success;
  });
}

NcclResult isend(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void*, void** request) {
  return sendMessage(sendComm, data, bytes, tag, mhandle, request);
}

NcclResult irecv(void* recvComm, int n, void** data, size_t* sizes, int* tags, void** mhandles, void**,
                 void** request) {
  return receiveMessages(recvComm, n, data, sizes, tags, mhandles, request);
}

constexpr NetV11 table() {
  auto net = tableOfCommon<NetV11>();
  net.init = init;
  net.getProperties = getProperties;
  net.listen = listenOn;
  net.connect = connectTo;
  net.isend = isend;
  net.irecv = irecv;
  net.finalize = finalizePlugin;
  return net;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) constinit const NetV11 ncclNetPlugin_v11 = table();

}  // namespace ulysses::nccl
