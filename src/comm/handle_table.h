// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "comm/communicator.h"

namespace ulysses {

/// Public handles to communicators: a place and a generation, never a pointer, so that a stale or made-up handle is an
/// error and not a crash. Look-ups take no lock. Process-wide.
class HandleTable {
 public:
  static HandleTable& instance();

  uint64_t add(std::unique_ptr<Communicator> comm);

  /// Keeps a communicator from being destroyed while it is looked at; empty for a stale handle.
  class Reference {
   public:
    Reference() = default;
    Reference(Reference&& other) noexcept : users_(std::exchange(other.users_, nullptr)), comm_(other.comm_) {}
    Reference& operator=(Reference&&) = delete;
    ~Reference() {
      if (users_) users_->fetch_sub(1);
    }
    explicit operator bool() const { return users_ != nullptr; }
    Communicator* operator->() const { return comm_; }
    Communicator& operator*() const { return *comm_; }

   private:
    friend class HandleTable;
    Reference(std::atomic<int>* users, Communicator* comm) : users_(users), comm_(comm) {}
    std::atomic<int>* users_ = nullptr;
    Communicator* comm_ = nullptr;
  };
  Reference find(uint64_t handle);

  /// Takes the communicator out once nobody looks at it any more; null when the handle is stale. When users stay past
  /// the deadline the communicator is given up (leaked) rather than freed under them.
  std::unique_ptr<Communicator> remove(uint64_t handle, Deadline deadline);

 private:
  static constexpr size_t kChunk = 256, kChunks = 4096;
  static constexpr uint64_t kIndexBits = 20;
  struct Slot {
    std::atomic<uint64_t> generation{0};  // odd: in use
    std::atomic<int> users{0};
    Communicator* comm = nullptr;
  };
  Slot* slotOf(uint64_t handle);

  HandleTable();
  void forgetAll();

  std::atomic<Slot*> chunks_[kChunks] = {};
  std::mutex mutex_;  // of adding and removing
  std::vector<size_t> free_;
  size_t used_ = 0;
};

}  // namespace ulysses
