// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "connecting.h"
#include "errors.h"
#include "listener.h"
#include "logger.h"
#include "path/ucx/memory.h"
#include "pulse.h"
#include "recv_comm.h"
#include "send_comm.h"
#include "transport.h"

namespace ulysses::nccl {
namespace {

/// What NCCL holds between init and finalize of a communicator.
struct Context {};

/// What NCCL holds of registered memory. Empty memory is nothing to UCX.
struct Registration {
  Registration(const Connection& connection, void* start, size_t length) : data(start), bytes(length) {
    if (bytes > 0) memory.emplace(connection.transport(), start, length);
  }
  const void* data;
  size_t bytes;
  std::optional<UcxMemory> memory;
};

class Contexts {
 public:
  void* add() {
    const std::lock_guard lock(mutex_);
    return alive_.emplace_back(std::make_unique<Context>()).get();
  }
  /// Whether there is none left. Unknown ones are let be.
  bool remove(const void* context) {
    const std::lock_guard lock(mutex_);
    std::erase_if(alive_, [&](const auto& one) { return one.get() == context; });
    return alive_.empty();
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Context>> alive_;
};

Contexts& contexts() {
  static Contexts contexts;
  return contexts;
}

/// Once a process: that UCX works with the first device, else NCCL shall take another network; and what there is.
void tryOut() {
  static std::once_flag once;
  std::call_once(once, [] {
    takeUcxLog();
    transportOf(deviceAt(0));
    std::string list;
    for (const NetDevice& device : devices()) {
      list += formatText("{}[{}]{} {} Mb/s", list.empty() ? "" : ", ", &device - devices().data(), device.name,
                         device.speedMbps);
    }
    log::info(log::Subsystem::Init, "{}, host memory; devices: {}", UcxLibrary::get().versionText(), list);
  });
}

[[noreturn]] void refuseMemory(const Connection& connection, const char* what, int type) {
  const bool knowsCuda = connection.transport()->knows(UCS_MEMORY_TYPE_CUDA);
  raise(Result::InvalidArgument,
        "{} of type {}: want {} (host), all that the devices offer; {} at hand {} CUDA memory, which this plugin does "
        "not "
        "use; leave NCCL_NET_GDR_LEVEL unset, so that NCCL stages through host memory",
        what, type, kPointerHost, UcxLibrary::get().versionText(), knowsCuda ? "knows" : "does not know");
}

Connection& connectionOf(void* comm) { return *static_cast<Connection*>(comm); }

/// Into the pulse's care; what NCCL gets of it.
void* handOut(std::shared_ptr<Connection> connection) {
  Connection* const pointer = connection.get();
  Pulse::get().add(std::move(connection));
  return pointer;
}

}  // namespace

NcclResult initPlugin(void** context, DebugLogger log) noexcept {
  setLogger(log);
  return guard("init", [&] {
    tryOut();
    if (context) *context = contexts().add();
    return NcclResult::Success;
  });
}

NcclResult finalizePlugin(void* context) noexcept {
  constexpr int64_t kLingerMs = 1'000;
  return guard("finalize", [&] {
    if (!context) return NcclResult::Success;  // NCCL 2.28 does so after a failed init
    forgetConnecting(context);
    if (contexts().remove(context)) Pulse::get().settle(kLingerMs);
    return NcclResult::Success;
  });
}

NcclResult countDevices(int* count) noexcept {
  return guard("devices", [&] {
    *count = static_cast<int>(devices().size());
    return NcclResult::Success;
  });
}

NcclResult listenOn(void*, int device, void* handle, void** listenComm) noexcept {
  *listenComm = nullptr;
  return guard("listen", [&] {
    auto listener = std::make_unique<Listener>(deviceAt(device));
    std::memset(handle, 0, kHandleBytes);
    std::memcpy(handle, &listener->handle(), sizeof(Handle));
    *listenComm = listener.release();
    return NcclResult::Success;
  });
}

NcclResult connectTo(void* context, int device, void* handle, void** sendComm, void** deviceComm) noexcept {
  *sendComm = nullptr;
  if (deviceComm) *deviceComm = nullptr;
  return guard("connect", [&] {
    Handle known;
    std::memcpy(&known, handle, sizeof known);
    std::shared_ptr<SendComm> made = connectFrom(context, deviceAt(device), known);
    std::memcpy(handle, &known, sizeof known);
    if (made) *sendComm = handOut(std::move(made));
    return NcclResult::Success;
  });
}

NcclResult acceptOn(void* listenComm, void** recvComm, void** deviceComm) noexcept {
  *recvComm = nullptr;
  if (deviceComm) *deviceComm = nullptr;
  return guard("accept", [&] {
    if (std::shared_ptr<RecvComm> made = static_cast<Listener*>(listenComm)->accept())
      *recvComm = handOut(std::move(made));
    return NcclResult::Success;
  });
}

NcclResult registerMemory(void* comm, void* data, size_t bytes, int type, void** mhandle) noexcept {
  *mhandle = nullptr;
  return guard("regMr", [&] {
    if (type != kPointerHost) refuseMemory(connectionOf(comm), "memory", type);
    *mhandle = std::make_unique<Registration>(connectionOf(comm), data, bytes).release();
    return NcclResult::Success;
  });
}

NcclResult registerDmaBuf(void* comm, void*, size_t, int type, uint64_t, int, void** mhandle) noexcept {
  *mhandle = nullptr;
  return guard("regMrDmaBuf", [&]() -> NcclResult { refuseMemory(connectionOf(comm), "a DMA-BUF with memory", type); });
}

NcclResult deregisterMemory(void* comm, void* mhandle) noexcept {
  return guard("deregMr", [&] {
    const std::unique_ptr<Registration> registration(static_cast<Registration*>(mhandle));
    if (registration) connectionOf(comm).release(registration->data, registration->bytes);
    return NcclResult::Success;
  });
}

NcclResult sendMessage(void* sendComm, void* data, size_t bytes, int tag, void** request) noexcept {
  *request = nullptr;
  return guard("isend", [&] {
    *request = static_cast<SendComm&>(connectionOf(sendComm)).isend(data, bytes, tag);
    return NcclResult::Success;
  });
}

NcclResult receiveMessages(void* recvComm, int n, void** data, const size_t* sizes, const int* tags,
                           void** request) noexcept {
  *request = nullptr;  // it may hold anything, as NCCL's mark of an optional completion
  return guard("irecv", [&] {
    *request = static_cast<RecvComm&>(connectionOf(recvComm)).irecv(n, data, sizes, tags);
    return NcclResult::Success;
  });
}

NcclResult flushNothing(void*, int, void**, int*, void**, void** request) noexcept {
  *request = nullptr;  // host memory has nothing to flush
  return NcclResult::Success;
}

NcclResult testRequest(void* request, int* done, int* sizes) noexcept {
  auto& tested = *static_cast<Request*>(request);
  return tested.connection->test(tested, done, sizes);
}

NcclResult closeConnection(void* comm) noexcept {
  return guard("close", [&] {
    if (comm) Pulse::get().close(connectionOf(comm));
    return NcclResult::Success;
  });
}

NcclResult closeListener(void* listenComm) noexcept {
  return guard("closeListen", [&] {
    delete static_cast<Listener*>(listenComm);
    return NcclResult::Success;
  });
}

}  // namespace ulysses::nccl
