// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The threads of one call and how they share its work. They are made for the call and end with it: nothing is left for
// a fork, an exit or another rank in this process to trip over.
#pragma once
#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace ulysses::attention {

/// Calls body(worker) for workers 0 to threads - 1, 0 on this thread. Where the system makes fewer threads, fewer
/// workers are called: the work must be shared by something like Items.
template <class Body>
void runWorkers(int threads, const Body& body) {
  std::vector<std::jthread> others;
  others.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int worker = 1; worker < threads; ++worker) others.emplace_back([&body, worker] { body(worker); });
  } catch (const std::system_error&) {
    // Slower, not wrong.
  }
  body(0);
}

/// Items 0 to count - 1, each taken by one worker, in order.
class Items {
 public:
  explicit Items(int64_t count) : count_(count) {}

  int64_t count() const { return count_; }

  /// The next item, or -1 when all are taken.
  int64_t take() {
    // Relaxed: which item it is says nothing of other memory.
    const int64_t item = next_.fetch_add(1, std::memory_order_relaxed);
    return item < count_ ? item : -1;
  }

  /// This worker has done an item; all that it wrote is seen by those who return from waitForAll.
  void done() {
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) done_.notify_all();
  }
  void waitForAll() const {
    for (int64_t done = done_.load(std::memory_order_acquire); done < count_;
         done = done_.load(std::memory_order_acquire))
      done_.wait(done, std::memory_order_acquire);
  }

 private:
  const int64_t count_;
  std::atomic<int64_t> next_{0}, done_{0};
};

/// What workers do to one place in a fixed order: 0, 1, 2, ...
class Turn {
 public:
  /// Until all before `mine` have passed; sees what they wrote.
  void await(int32_t mine) const {
    for (int32_t now = at_.load(std::memory_order_acquire); now != mine; now = at_.load(std::memory_order_acquire))
      at_.wait(now, std::memory_order_acquire);
  }
  void pass() {
    at_.fetch_add(1, std::memory_order_release);
    at_.notify_all();
  }

 private:
  std::atomic<int32_t> at_{0};
};

}  // namespace ulysses::attention
