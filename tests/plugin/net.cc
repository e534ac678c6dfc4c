// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "abi/net_v10.h"
#include "abi/net_v12.h"
#include "abi/net_v8.h"
#include "abi/net_v9.h"

namespace ulysses::nccl_test {
namespace {

using nccl::NetV10;
using nccl::NetV11;
using nccl::NetV12;
using nccl::NetV8;
using nccl::NetV9;

template <typename Table>
constexpr int kVersion = 0;
template <>
constexpr int kVersion<NetV8> = 8;
template <>
constexpr int kVersion<NetV9> = 9;
template <>
constexpr int kVersion<NetV10> = 10;
template <>
constexpr int kVersion<NetV11> = 11;
template <>
constexpr int kVersion<NetV12> = 12;

template <typename Table>
struct PropertiesOf;
template <>
struct PropertiesOf<NetV8> {
  using Type = nccl::PropertiesV8;
};
template <>
struct PropertiesOf<NetV9> {
  using Type = nccl::PropertiesV9;
};
template <>
struct PropertiesOf<NetV10> {
  using Type = nccl::PropertiesV10;
};
template <>
struct PropertiesOf<NetV11> {
  using Type = nccl::PropertiesV11;
};
template <>
struct PropertiesOf<NetV12> {
  using Type = nccl::PropertiesV12;
};

template <typename Table>
class NetOf final : public Net {
 public:
  static constexpr int kV = kVersion<Table>;
  explicit NetOf(const Table& table) : table_(table) {}

  const char* name() const override { return table_.name; }

  NcclResult init(nccl::DebugLogger log) override {
    if constexpr (kV >= 11) {
      nccl::CommConfig config{.trafficClass = nccl::kTrafficClassUndefined};
      return table_.init(&context_, 42, &config, log, nullptr);
    } else if constexpr (kV == 10) {
      return table_.init(log, nullptr);
    } else {
      return table_.init(log);
    }
  }

  NcclResult devices(int* count) override { return table_.devices(count); }

  NcclResult properties(int device, Device& to) override {
    typename PropertiesOf<Table>::Type from;
    std::fill_n(reinterpret_cast<char*>(&from), sizeof from, '\x5a');  // what a plugin leaves out shows
    const NcclResult result = table_.getProperties(device, &from);
    if (result != NcclResult::Success) return result;
    to = {.name = from.name,
          .pciPath = from.pciPath ? from.pciPath : "",
          .guid = from.guid,
          .ptrSupport = from.ptrSupport,
          .regIsGlobal = from.regIsGlobal,
          .speed = from.speed,
          .port = from.port,
          .maxComms = from.maxComms,
          .maxRecvs = from.maxRecvs,
          .netDeviceType = from.netDeviceType,
          .netDeviceVersion = from.netDeviceVersion,
          .latency = from.latency};
    if constexpr (kV >= 9) {
      to.forceFlush = from.forceFlush;
      to.maxP2pBytes = from.maxP2pBytes;
      to.fused = from.vProps.count;
      to.fusedFirst = from.vProps.devices[0];
    }
    if constexpr (kV >= 11) to.maxMultiRequestSize = from.maxMultiRequestSize;
    if constexpr (kV >= 12) to.railId = from.railId, to.planeId = from.planeId;
    return result;
  }

  NcclResult listen(int device, void* handle, void** comm) override {
    if constexpr (kV >= 11)
      return table_.listen(context_, device, handle, comm);
    else
      return table_.listen(device, handle, comm);
  }

  NcclResult connect(int device, void* handle, void** comm, void** deviceComm) override {
    if constexpr (kV >= 11) {
      return table_.connect(context_, device, handle, comm, deviceComm);
    } else if constexpr (kV == 10) {
      nccl::CommConfig config{.trafficClass = nccl::kTrafficClassUndefined};
      return table_.connect(device, &config, handle, comm, deviceComm);
    } else {
      return table_.connect(device, handle, comm, deviceComm);
    }
  }

  NcclResult accept(void* listenComm, void** comm, void** deviceComm) override {
    return table_.accept(listenComm, comm, deviceComm);
  }
  NcclResult regMr(void* comm, void* data, size_t bytes, int type, void** mhandle) override {
    return table_.regMr(comm, data, bytes, type, mhandle);
  }
  NcclResult regMrDmaBuf(void* comm, void* data, size_t bytes, int type, void** mhandle) override {
    return table_.regMrDmaBuf(comm, data, bytes, type, 0, -1, mhandle);
  }
  NcclResult deregMr(void* comm, void* mhandle) override { return table_.deregMr(comm, mhandle); }

  NcclResult isend(void* comm, void* data, size_t bytes, int tag, void* mhandle, void** request) override {
    if constexpr (kV >= 10)
      return table_.isend(comm, data, bytes, tag, mhandle, nullptr, request);
    else if constexpr (kV == 9)
      return table_.isend(comm, data, bytes, tag, mhandle, request);
    else
      return table_.isend(comm, data, static_cast<int>(bytes), tag, mhandle, request);
  }

  NcclResult irecv(void* comm, int n, void** data, size_t* sizes, int* tags, void** mhandles, void** request) override {
    if constexpr (kV >= 10) {
      return table_.irecv(comm, n, data, sizes, tags, mhandles, nullptr, request);
    } else if constexpr (kV == 9) {
      return table_.irecv(comm, n, data, sizes, tags, mhandles, request);
    } else {
      std::array<int, 8> narrow{};
      for (size_t i = 0; i < narrow.size() && static_cast<int>(i) < n; ++i) narrow[i] = static_cast<int>(sizes[i]);
      return table_.irecv(comm, n, data, narrow.data(), tags, mhandles, request);
    }
  }

  NcclResult iflush(void* comm, int n, void** data, int* sizes, void** mhandles, void** request) override {
    return table_.iflush(comm, n, data, sizes, mhandles, request);
  }
  NcclResult test(void* request, int* done, int* sizes) override { return table_.test(request, done, sizes); }
  NcclResult closeSend(void* comm) override { return table_.closeSend(comm); }
  NcclResult closeRecv(void* comm) override { return table_.closeRecv(comm); }
  NcclResult closeListen(void* comm) override { return table_.closeListen(comm); }

  NcclResult finalize(bool null) override {
    if constexpr (kV >= 11)
      return table_.finalize(null ? nullptr : context_);
    else
      return NcclResult::Success;
  }

 private:
  const Table& table_;
  void* context_ = nullptr;
};

}  // namespace

Library::Library(const std::string& name) : handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) throw std::runtime_error(dlerror());
}

Library::~Library() { dlclose(handle_); }

void* Library::symbol(const std::string& name) const { return dlsym(handle_, name.c_str()); }

std::unique_ptr<Net> Library::net(int version) const {
  const void* const table = symbol("ncclNetPlugin_v" + std::to_string(version));
  if (!table) throw std::runtime_error("no table of version " + std::to_string(version));
  switch (version) {
    case 8:
      return std::make_unique<NetOf<NetV8>>(*static_cast<const NetV8*>(table));
    case 9:
      return std::make_unique<NetOf<NetV9>>(*static_cast<const NetV9*>(table));
    case 10:
      return std::make_unique<NetOf<NetV10>>(*static_cast<const NetV10*>(table));
    case 11:
      return std::make_unique<NetOf<NetV11>>(*static_cast<const NetV11*>(table));
    default:
      return std::make_unique<NetOf<NetV12>>(*static_cast<const NetV12*>(table));
  }
}

}  // namespace ulysses::nccl_test
