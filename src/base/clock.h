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

/// The same as of the last tick, up to 10 ms ago: far cheaper to read.
inline int64_t coarseNs() noexcept {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

/// A point in time, computed once per operation and passed down.
class Deadline {
 public:
  static Deadline inMs(int64_t ms) noexcept {
    const int64_t now = nowNs();
    return {now, now + ms * 1'000'000};
  }
  /// The same for every operation's start: by the coarse clock, and a tick later.
  static Deadline inMsCoarse(int64_t ms) noexcept {
    constexpr int64_t kTickNs = 10'000'000;  // HZ=100, the slowest there is
    const int64_t now = coarseNs();
    return {now, now + kTickNs + ms * 1'000'000};
  }
  /// No deadline; says 0 for when it was computed.
  static Deadline never() noexcept { return {0, INT64_MAX}; }
  /// When it was computed.
  int64_t madeNs() const noexcept { return madeNs_; }
  bool passed() const noexcept { return nowNs() >= atNs_; }
  /// Time left for poll(2): 0 when passed, at most `capMs`.
  int leftMs(int capMs) const noexcept {
    const int64_t left = (atNs_ - nowNs() + 999'999) / 1'000'000;
    return left < 0 ? 0 : static_cast<int>(left < capMs ? left : capMs);
  }
  Deadline() noexcept = default;

 private:
  Deadline(int64_t madeNs, int64_t atNs) noexcept : madeNs_(madeNs), atNs_(atNs) {}
  int64_t madeNs_ = 0, atNs_ = 0;
};

}  // namespace ulysses
