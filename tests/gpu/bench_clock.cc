// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_clock.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "gpu/bench_call.h"

namespace ulysses::test {
namespace {

constexpr int kWarmup = 3;
constexpr auto kMostClosed = std::chrono::seconds(4);

// Of all gates, and not their members: a gate may be gone when CUDA's thread comes to wait for it. Gates are made one
// after the other, by one thread.
std::atomic<std::uintptr_t> opened{0}, openedItself{0};
std::uintptr_t last = 0;

/// On a thread of CUDA's, so it must not call CUDA. What it waits for depends on no work of the GPU: only on a thread
/// that enqueues.
void CUDART_CB waitUntilOpen(void* ticket) {
  const auto mine = reinterpret_cast<std::uintptr_t>(ticket);
  const auto end = std::chrono::steady_clock::now() + kMostClosed;
  while (opened.load(std::memory_order_acquire) < mine) {
    if (std::chrono::steady_clock::now() >= end) return openedItself.store(mine, std::memory_order_release);
    std::this_thread::yield();
  }
}

}  // namespace

Gate::Gate(cudaStream_t stream) : ticket_(++last) {
  check(cudaLaunchHostFunc(stream, waitUntilOpen, reinterpret_cast<void*>(ticket_)), "cudaLaunchHostFunc");
}

void Gate::open() noexcept { opened.store(ticket_, std::memory_order_release); }

void Gate::requireOpened() const {
  if (openedItself.load(std::memory_order_acquire) == ticket_)
    throw std::runtime_error("not all could be enqueued before the first began: a call waited for the GPU");
}

double timed(const std::vector<cudaStream_t>& streams, const Work& enqueue) {
  const Event begin, end, each(cudaEventDisableTiming);
  Gate gate(streams[0]);  // the last, so that it opens first, whatever is thrown
  begin.record(streams[0]);
  for (std::size_t i = 1; i < streams.size(); ++i) begin.holdUp(streams[i]);
  enqueue();
  for (std::size_t i = 1; i < streams.size(); ++i) {
    each.record(streams[i]);
    each.holdUp(streams[0]);
  }
  end.record(streams[0]);
  gate.open();
  end.wait();
  gate.requireOpened();
  float ms = 0;
  check(cudaEventElapsedTime(&ms, begin.get(), end.get()), "cudaEventElapsedTime");
  return ms;
}

Times measure(const std::vector<cudaStream_t>& streams, const std::vector<Work>& works) {
  double roundMs = 0;
  for (int round = 0; round < kWarmup; ++round) {
    roundMs = 0;
    for (const Work& work : works) roundMs += timed(streams, work);
  }
  Times times(works.size());
  for (int round = 0; round < roundsFor(roundMs); ++round)
    for (std::size_t i = 0; i < works.size(); ++i) times[i].push_back(timed(streams, works[i]));
  return times;
}

}  // namespace ulysses::test
