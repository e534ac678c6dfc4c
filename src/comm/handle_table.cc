// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/handle_table.h"

#include <pthread.h>

#include "base/check.h"
#include "base/log.h"

namespace ulysses {

HandleTable& HandleTable::instance() {
  static HandleTable* table = new HandleTable;  // never destroyed: threads may outlive static destruction
  return *table;
}

/// A forked child has the parent's communicators, but no thread, socket or place of its own in them: to it their
/// handles are stale. So a look-up costs nothing for it. The lock is held over the fork, lest the child finds it taken
/// for ever.
HandleTable::HandleTable() {
  pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                 [] {
                   instance().forgetAll();
                   instance().mutex_.unlock();
                 });
}

/// The communicators stay: destroying one would tell its peers that this rank has left.
void HandleTable::forgetAll() {
  for (size_t index = 0; index < used_; ++index) {
    Slot& slot = chunks_[index / kChunk].load()[index % kChunk];
    if (const uint64_t generation = slot.generation.load(); generation % 2 == 1) slot.generation.store(generation + 1);
  }
}

HandleTable::Slot* HandleTable::slotOf(uint64_t handle) {
  const uint64_t index = (handle & ((uint64_t{1} << kIndexBits) - 1)) - 1;
  if (index >= kChunk * kChunks) return nullptr;
  Slot* chunk = chunks_[index / kChunk].load(std::memory_order_acquire);
  return chunk ? chunk + index % kChunk : nullptr;
}

uint64_t HandleTable::add(std::unique_ptr<Communicator> comm) {
  const std::lock_guard lock(mutex_);
  size_t index = used_;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (used_ == kChunk * kChunks) raise(Result::OutOfMemory, "{} communicators exist, the most there can be", used_);
    if (used_ % kChunk == 0) chunks_[used_ / kChunk].store(new Slot[kChunk], std::memory_order_release);
    ++used_;
  }
  Slot& slot = chunks_[index / kChunk].load()[index % kChunk];
  slot.comm = comm.release();
  const uint64_t generation = slot.generation.load() + 1;
  slot.generation.store(generation);
  return generation << kIndexBits | (index + 1);
}

/// Counts itself in before it looks at the generation, remove() changes the generation before it looks at the count:
/// one of them sees the other (all of it sequentially consistent).
HandleTable::Reference HandleTable::find(uint64_t handle) {
  Slot* slot = slotOf(handle);
  if (!slot) return {};
  slot->users.fetch_add(1);
  Reference reference(&slot->users, nullptr);
  const uint64_t generation = slot->generation.load();
  if (generation != handle >> kIndexBits || generation % 2 == 0) return {};
  reference.comm_ = slot->comm;
  return reference;
}

std::unique_ptr<Communicator> HandleTable::remove(uint64_t handle, Deadline deadline) {
  Slot* slot = slotOf(handle);
  uint64_t generation = handle >> kIndexBits;
  if (!slot || generation % 2 == 0 || !slot->generation.compare_exchange_strong(generation, generation + 1))
    return nullptr;
  while (slot->users.load() != 0) {
    if (deadline.passed()) {
      log::warn(log::Subsystem::Init,
                "a communicator is still in use by another thread after its abort; its memory is not freed");
      return nullptr;
    }
    sched_yield();
  }
  std::unique_ptr<Communicator> comm(std::exchange(slot->comm, nullptr));
  const std::lock_guard lock(mutex_);
  free_.push_back((handle & ((uint64_t{1} << kIndexBits) - 1)) - 1);
  return comm;
}

}  // namespace ulysses
