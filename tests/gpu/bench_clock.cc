// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_clock.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "gpu/bench_call.h"

namespace ulysses::test {
namespace {

constexpr int kWarmup = 3;
constexpr auto kMostClosed = std::chrono::seconds(1);  // enqueuing takes some milliseconds

// Of all gates, and not their members: a gate may be gone when CUDA's thread comes to wait for it. Gates are made one
// after the other, by one thread.
std::atomic<std::uintptr_t> opened{0}, openedLate{0};
std::uintptr_t last = 0;

/// On a thread of CUDA's, so it must not call CUDA. What it waits for depends on no work of the GPU: only on a thread
/// that enqueues.
void CUDART_CB waitUntilOpen(void* ticket) {
  const auto mine = reinterpret_cast<std::uintptr_t>(ticket);
  const auto end = std::chrono::steady_clock::now() + kMostClosed;
  while (opened.load(std::memory_order_acquire) < mine) {
    if (std::chrono::steady_clock::now() >= end) return openedLate.store(mine, std::memory_order_release);
    std::this_thread::yield();
  }
}

}  // namespace

Gate::Gate(cudaStream_t stream) : ticket_(++last) {
  check(cudaLaunchHostFunc(stream, waitUntilOpen, reinterpret_cast<void*>(ticket_)), "cudaLaunchHostFunc");
}

void Gate::open() noexcept { opened.store(ticket_, std::memory_order_release); }

bool Gate::openedItself() const { return openedLate.load(std::memory_order_acquire) == ticket_; }

double timed(const std::vector<cudaStream_t>& streams, const Work& enqueue, bool& withLaunches) {
  const Event begin, end, each(cudaEventDisableTiming);
  std::optional<Gate> gate;  // the last, so that it opens first, whatever is thrown
  if (!withLaunches) gate.emplace(streams[0]);
  begin.record(streams[0]);
  for (std::size_t i = 1; i < streams.size(); ++i) begin.holdUp(streams[i]);
  enqueue();
  for (std::size_t i = 1; i < streams.size(); ++i) {
    each.record(streams[i]);
    each.holdUp(streams[0]);
  }
  end.record(streams[0]);
  if (gate) gate->open();
  end.wait();
  if (gate && gate->openedItself()) withLaunches = true;
  float ms = 0;
  check(cudaEventElapsedTime(&ms, begin.get(), end.get()), "cudaEventElapsedTime");
  return ms;
}

Times measure(const std::vector<cudaStream_t>& streams, const std::vector<Work>& works) {
  Times times{std::vector<std::vector<double>>(works.size())};
  double roundMs = 0;
  for (int round = 0; round < kWarmup; ++round) {
    roundMs = 0;
    for (const Work& work : works) roundMs += timed(streams, work, times.withLaunches);
  }
  for (int round = 0; round < roundsFor(roundMs); ++round)
    for (std::size_t i = 0; i < works.size(); ++i)
      times.works[i].push_back(timed(streams, works[i], times.withLaunches));
  return times;
}

}  // namespace ulysses::test
