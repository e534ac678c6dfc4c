// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/launch_lease.h"

#include <pthread.h>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"

namespace ulysses {
namespace {

constexpr size_t kWords = 1024;       // that are taken from a GPU at once
constexpr size_t kRemembered = 1024;  // ended leases whose holders can still be named

/// Kernels ring it, of any GPU. Ordinary memory that stays mapped: neither a reset of the GPU nor a fork takes it away.
struct Bell {
  static constexpr std::align_val_t kPage{4096};
  alignas(4096) uint32_t word = 0;
};
std::atomic<Bell*> bell = nullptr;  // once there is a lease

class Leases {
 public:
  static Leases& instance() {
    static Leases& only = *new Leases;  // outlives what ends at exit
    return only;
  }

  device::Lease take(DeviceRuntime& runtime, uint64_t context, const std::string& holder) {
    const std::lock_guard lock(mutex_);
    std::vector<uint32_t*>& words = free_[context];
    if (words.empty()) addWords(runtime, words);
    if (++lastId_ == 0) ++lastId_;
    const device::Lease lease{.word = words.back(), .bell = reachBell(runtime, context), .id = lastId_};
    runtime.write(reinterpret_cast<std::byte*>(words.back()), &lease.id, sizeof(lease.id));
    holders_[lease.id] = holder;
    words.pop_back();
    return lease;
  }

  void end(DeviceRuntime& runtime, uint64_t context, const device::Lease& lease) {
    auto* const word = const_cast<uint32_t*>(lease.word);
    constexpr uint32_t kNone = 0;
    runtime.write(reinterpret_cast<std::byte*>(word), &kNone, sizeof(kNone));
    const std::lock_guard lock(mutex_);
    free_[context].push_back(word);
    ended_.push_back(lease.id);
    if (ended_.size() <= kRemembered) return;
    holders_.erase(ended_.front());
    ended_.pop_front();
  }

  std::string holderOf(uint32_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = holders_.find(id);
    return found != holders_.end() ? found->second : "a communicator of long ago";
  }

 private:
  void addWords(DeviceRuntime& runtime, std::vector<uint32_t*>& words) {
    words.reserve(kWords);
    DeviceMemory chunk(runtime, runtime.allocate(kWords * sizeof(uint32_t)));
    for (size_t i = kWords; i-- > 0;) words.push_back(chunk.as<uint32_t>() + i);
    chunk.abandon();
  }

  /// As the GPU addresses it; pinned once for each.
  uint32_t* reachBell(DeviceRuntime& runtime, uint64_t context) {
    if (bell.load() == nullptr) {
      bell.store(new (Bell::kPage) Bell);
      bells_.clear();
      pthread_atfork(nullptr, nullptr, [] { bell.store(nullptr); });  // a child has no part in its parent's GPU
    }
    uint32_t*& reached = bells_[context];
    if (reached == nullptr)
      reached = reinterpret_cast<uint32_t*>(runtime.share(reinterpret_cast<std::byte*>(bell.load()), sizeof(Bell)));
    return reached;
  }

  std::mutex mutex_;
  uint32_t lastId_ = 0;
  std::map<uint64_t, std::vector<uint32_t*>> free_;  // by context of CUDA
  std::map<uint64_t, uint32_t*> bells_;              // the same
  std::map<uint32_t, std::string> holders_;
  std::deque<uint32_t> ended_;  // of which holders are remembered, oldest first
};

}  // namespace

LaunchLease::LaunchLease(DeviceRuntime& runtime, const std::string& holder)
    : runtime_(runtime), context_(runtime.context()), lease_(Leases::instance().take(runtime, context_, holder)) {}

void LaunchLease::end() noexcept {
  if (std::exchange(ended_, true)) return;
  try {
    Leases::instance().end(runtime_, context_, lease_);
  } catch (const std::exception& error) {  // the GPU is lost, and with it every graph
    log::warn(log::Subsystem::Memory, "CUDA graphs of a destroyed communicator cannot be told of it: {}", error.what());
  }
}

std::string takeReplayText() {
  Bell* const rung = bell.load(std::memory_order_acquire);
  if (rung == nullptr) return "";
  const std::atomic_ref word(rung->word);
  if (word.load(std::memory_order_relaxed) == 0) return "";
  const uint32_t id = word.exchange(0, std::memory_order_acquire);
  if (id == 0) return "";
  return formatText(
      "a CUDA graph launched an exchange of {} after that communicator was destroyed: nothing was exchanged; destroy "
      "graphs before their communicator, and capture them again with a new one",
      Leases::instance().holderOf(id));
}

void warnOfReplays() noexcept {
  try {
    if (const std::string text = takeReplayText(); !text.empty()) log::warn(log::Subsystem::Exchange, "{}", text);
  } catch (const std::exception& error) {
    log::warn(log::Subsystem::Exchange, "a CUDA graph outlived its communicator: {}", error.what());
  }
}

}  // namespace ulysses
