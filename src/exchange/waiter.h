// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sched.h>

#include "base/clock.h"

namespace ulysses {

/// Tells the core that this is a spin loop.
inline void pauseCore() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How to wait for a flag that another rank sets: some pauses, then yield, and after a while sleep. With more ranks
/// than cores the one we wait for may need this core, so few pauses (measured 2-5 us a barrier against 4 ms of pure
/// spinning); with a core for each, a flag that comes during a yield is seen half a microsecond late, so more of them.
class Waiter {
 public:
  enum class Next { Again, CheckPeers, CheckPeersAndSleep };

  explicit Waiter(bool ownCore = false) : pauses_(ownCore ? kPausesOnOwnCore : kPauses) {}

  /// Call when nothing moved.
  Next idle() noexcept {
    if (++turns_ <= pauses_) {
      pauseCore();
      return Next::Again;
    }
    sched_yield();
    if (turns_ % kTurnsPerLook != 0) return Next::Again;
    const int64_t now = nowNs();
    if (startNs_ == 0) startNs_ = lookedNs_ = now;
    if (now - lookedNs_ < kLookNs) return Next::Again;
    lookedNs_ = now;
    return now - startNs_ < kSleepAfterNs ? Next::CheckPeers : Next::CheckPeersAndSleep;
  }
  /// Call when something moved.
  void reset() noexcept { turns_ = startNs_ = lookedNs_ = 0; }

 private:
  static constexpr int64_t kPauses = 20, kPausesOnOwnCore = 500, kTurnsPerLook = 16;
  static constexpr int64_t kLookNs = 1'000'000;
  static constexpr int64_t kSleepAfterNs = 5'000'000;
  int64_t pauses_, turns_ = 0, startNs_ = 0, lookedNs_ = 0;
};

}  // namespace ulysses
