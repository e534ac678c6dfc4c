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
#include "pointers.h"
#include "pulse.h"
#include "recv_comm.h"
#include "registration.h"
#include "send_comm.h"
#include "transport.h"

namespace ulysses::nccl {
namespace {

/// What NCCL holds between init and finalize of a communicator.
struct Context {};

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
    log::info(log::Subsystem::Init, "{}, {}; devices: {}", UcxLibrary::get().versionText(),
              pointersOf(deviceAt(0)) & kPointerCuda ? "host and CUDA memory" : "host memory", list);
  });
}

/// Why the device does not offer `type`, and what to do.
[[noreturn]] void refuseMemory(const Connection& connection, const char* what, int type) {
  const bool takesCuda = (connection.pointers() & kPointerCuda) != 0;
  const bool knowsCuda = (connection.transport()->memoryTypes() & (uint64_t{1} << UCS_MEMORY_TYPE_CUDA)) != 0;
  raise(Result::InvalidArgument,
        "{} of type {}: want {}, all that the device offers; {} at hand {} CUDA memory{}; leave NCCL_NET_GDR_LEVEL "
        "unset, so that NCCL stages through host memory",
        what, type, takesCuda ? "1 (host) or 2 (CUDA)" : "1 (host)", UcxLibrary::get().versionText(),
        knowsCuda ? "knows" : "does not know",
        knowsCuda && !takesCuda ? ", which this plugin does not use with InfiniBand and RoCE" : "");
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
    Connection& connection = connectionOf(comm);
    const std::optional<ucs_memory_type_t> kind = memoryTypeOf(type, connection.pointers());
    if (!kind) refuseMemory(connection, "memory", type);
    if (*kind == UCS_MEMORY_TYPE_CUDA) connection.useCuda();
    *mhandle = std::make_unique<Registration>(connection.transport(), data, bytes, *kind).release();
    return NcclResult::Success;
  });
}

NcclResult registerDmaBuf(void*, void*, size_t, int type, uint64_t, int fd, void** mhandle) noexcept {
  *mhandle = nullptr;
  return guard("regMrDmaBuf", [&]() -> NcclResult {
    raise(Result::InvalidArgument,
          "a DMA-BUF is not taken (descriptor {}, memory of type {}), as ptrSupport says: {} has no call for it, and "
          "makes its own where it registers memory of a GPU",
          fd, type, UcxLibrary::get().versionText());
  });
}

NcclResult deregisterMemory(void* comm, void* mhandle) noexcept {
  return guard("deregMr", [&] {
    const std::unique_ptr<Registration> registration(static_cast<Registration*>(mhandle));
    if (registration) connectionOf(comm).release(registration->data, registration->bytes);
    return NcclResult::Success;
  });
}

NcclResult sendMessage(void* sendComm, void* data, size_t bytes, int tag, void* mhandle, void** request) noexcept {
  *request = nullptr;
  return guard("isend", [&] {
    *request = static_cast<SendComm&>(connectionOf(sendComm)).isend(data, bytes, tag, typeOf(mhandle));
    return NcclResult::Success;
  });
}

NcclResult receiveMessages(void* recvComm, int n, void** data, const size_t* sizes, const int* tags,
                           void* const* mhandles, void** request) noexcept {
  *request = nullptr;  // it may hold anything, as NCCL's mark of an optional completion
  return guard("irecv", [&] {
    *request = static_cast<RecvComm&>(connectionOf(recvComm)).irecv(n, data, sizes, tags, mhandles);
    return NcclResult::Success;
  });
}

NcclResult flushNothing(void*, int, void**, int*, void**, void** request) noexcept {
  // Host memory has nothing to flush; and memory of a GPU is offered only where UCX copies to it, see pointersOf(): the
  // copy was complete when its receive was.
  *request = nullptr;
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
