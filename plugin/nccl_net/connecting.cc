// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "connecting.h"

#include <map>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "transport.h"

namespace ulysses::nccl {
namespace {

/// A connection that is not there yet. NCCL has nothing of it but the number in the handle, as connect() may never be
/// called again.
struct Pending {
  const void* owner;
  ControlSocket control;
};

class PendingTable {
 public:
  uint64_t add(const void* owner, ControlSocket control) {
    const std::lock_guard lock(mutex_);
    pending_.emplace(++last_, Pending{owner, std::move(control)});
    return last_;
  }
  /// Out of the table, so that nobody else uses it meanwhile.
  ControlSocket take(uint64_t id) {
    const std::lock_guard lock(mutex_);
    auto node = pending_.extract(id);
    require(!node.empty(), "connect: this handle's connection was finished or given up; use a handle once");
    return std::move(node.mapped().control);
  }
  void putBack(uint64_t id, const void* owner, ControlSocket control) {
    const std::lock_guard lock(mutex_);
    pending_.emplace(id, Pending{owner, std::move(control)});
  }
  void forget(const void* owner) {
    const std::lock_guard lock(mutex_);
    std::erase_if(pending_, [&](const auto& entry) { return entry.second.owner == owner; });
  }

 private:
  std::mutex mutex_;
  std::map<uint64_t, Pending> pending_;
  uint64_t last_ = 0;
};

PendingTable& table() {
  static PendingTable table;
  return table;
}

}  // namespace

std::shared_ptr<SendComm> connectFrom(const void* owner, const NetDevice& device, Handle& handle) {
  require(handle.magic == kWireMagic, "connect: the handle is not one of this plugin; all ranks must load the same");
  if (handle.pending == 0) handle.pending = table().add(owner, ControlSocket::connectTo(handle.address));
  ControlSocket control = table().take(handle.pending);
  if (!control.connected()) {
    table().putBack(handle.pending, owner, std::move(control));
    return nullptr;
  }
  handle.pending = 0;
  return std::make_shared<SendComm>(std::move(control), device, handle.token);
}

void forgetConnecting(const void* owner) { table().forget(owner); }

}  // namespace ulysses::nccl
