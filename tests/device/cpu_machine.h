// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <thread>
#include <type_traits>

namespace ulysses::test {

/// Where a thread is in a launch; and words.
struct SerialMachine {
  std::uint32_t block_, blocks_, thread_, threads_;
  std::uint32_t block() const { return block_; }
  std::uint32_t blocks() const { return blocks_; }
  std::uint32_t thread() const { return thread_; }
  std::uint32_t threads() const { return threads_; }
  std::uint32_t load(const std::uint32_t* word) const {
    return std::atomic_ref(*const_cast<std::uint32_t*>(word)).load(std::memory_order_acquire);
  }
  void store(std::uint32_t* word, std::uint32_t value) const {
    std::atomic_ref(*word).store(value, std::memory_order_release);
  }
  /// A GPU's add() has a fence, which makes of a put() behind it a release; that of a CPU has not.
  template <typename Word>
  void put(Word* word, std::type_identity_t<Word> value) const {
    std::atomic_ref(*word).store(value, std::memory_order_release);
  }
};

/// What the threads of a block share.
class CpuBlock {
 public:
  explicit CpuBlock(std::uint32_t threads) : barrier_(static_cast<std::ptrdiff_t>(threads)) {}

  /// The `phase`-th vote, of all threads. A slot is cleared when everybody has read it and before it is used again.
  bool any(bool mine, std::uint32_t phase, bool clears) {
    if (mine) votes_[phase % 3].store(true);
    barrier_.arrive_and_wait();
    const bool result = votes_[phase % 3].load();
    if (clears) votes_[(phase + 2) % 3].store(false);
    return result;
  }

 private:
  std::barrier<> barrier_;
  std::atomic<bool> votes_[3] = {};
};

/// A CPU thread as one of a GPU.
class CpuMachine : public SerialMachine {
 public:
  CpuMachine(const SerialMachine& place, CpuBlock* shared) : SerialMachine(place), shared_(shared) {}

  bool any(bool mine) { return shared_->any(mine, phase_++, thread() == 0); }
  std::uint32_t add(std::uint32_t* word, std::uint32_t value) const {
    return std::atomic_ref(*word).fetch_add(value, std::memory_order_acq_rel);
  }
  std::uint64_t now() const {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  // A nap, not a yield: threads that only yield starve one another on Linux 6.18.
  void pause() const { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

 private:
  CpuBlock* shared_;
  std::uint32_t phase_ = 0;
};

}  // namespace ulysses::test
