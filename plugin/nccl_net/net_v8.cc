// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "abi/net_v8.h"

#include <array>

#include "calls.h"
#include "errors.h"

namespace ulysses::nccl {
namespace {

NcclResult init(DebugLogger log) { return initPlugin(nullptr, log); }

NcclResult getProperties(int device, PropertiesV8* properties) {
  return guard("getProperties", [&] {
    fillCommon(*properties, deviceAt(device));
    return NcclResult::Success;
  });
}

NcclResult listen(int device, void* handle, void** listenComm) { return listenOn(nullptr, device, handle, listenComm); }

NcclResult connect(int device, void* handle, void** sendComm, void** deviceComm) {
  return connectTo(nullptr, device, handle, sendComm, deviceComm);
}

NcclResult isend(void* sendComm, void* data, int bytes, int tag, void* mhandle, void** request) {
  return sendMessage(sendComm, data, static_cast<size_t>(bytes), tag, mhandle, request);
}

NcclResult irecv(void* recvComm, int n, void** data, int* sizes, int* tags, void** mhandles, void** request) {
  std::array<size_t, 8> wide{};
  for (size_t i = 0; i < wide.size() && static_cast<int>(i) < n; ++i) wide[i] = static_cast<size_t>(sizes[i]);
  return receiveMessages(recvComm, n, data, wide.data(), tags, mhandles, request);
}

constexpr NetV8 table() {
  auto net = tableOfCommon<NetV8>();
  net.init = init;
  net.getProperties = getProperties;
  net.listen = listen;
  net.connect = connect;
  net.isend = isend;
  net.irecv = irecv;
  return net;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) constinit const NetV8 ncclNetPlugin_v8 = table();

}  // namespace ulysses::nccl
