// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <ctime>

namespace ulysses {

/// Monotonic time in nanoseconds.
inline int64_t nowNs() noexcept {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

/// A point in time, computed once per operation and passed down.
class Deadline {
 public:
  static Deadline inMs(int64_t ms) noexcept { return Deadline(nowNs() + ms * 1'000'000); }
  /// The same for every operation's start: reads the clock of the last tick, which is far cheaper, and adds a tick.
  static Deadline inMsCoarse(int64_t ms) noexcept {
    constexpr int64_t kTickNs = 10'000'000;  // HZ=100, the slowest there is
    timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return Deadline(time.tv_sec * 1'000'000'000 + time.tv_nsec + kTickNs + ms * 1'000'000);
  }
  static Deadline never() noexcept { return Deadline(INT64_MAX); }
  bool passed() const noexcept { return nowNs() >= atNs_; }
  /// Time left for poll(2): 0 when passed, at most `capMs`.
  int leftMs(int capMs) const noexcept {
    const int64_t left = (atNs_ - nowNs() + 999'999) / 1'000'000;
    return left < 0 ? 0 : static_cast<int>(left < capMs ? left : capMs);
  }
  Deadline() noexcept : atNs_(0) {}

 private:
  explicit Deadline(int64_t atNs) noexcept : atNs_(atNs) {}
  int64_t atNs_;
};

}  // namespace ulysses
