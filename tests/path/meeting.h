// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sched.h>

#include <atomic>

#include "base/clock.h"

namespace ulysses::test {

inline constexpr int kMostRanks = 8;
inline constexpr std::int64_t kPatienceMs = 30'000;  // for a loaded machine; nothing waits that long when all is well

/// Yields until the condition holds; false when it does not within the patience.
template <typename Condition>
bool waitUntil(Condition&& condition) {
  for (const Deadline deadline = Deadline::inMs(kPatienceMs); !condition(); sched_yield())
    if (deadline.passed()) return false;
  return true;
}

/// Where the ranks of a scenario meet, apart from the path under test. Lives in memory that all of them share.
class Meeting {
 public:
  /// Waits for all ranks; false when one does not come.
  bool meet(int nRanks) {
    const int mine = arrived_.fetch_add(1) / nRanks;  // which meeting this is
    return waitUntil([&] { return arrived_.load() >= (mine + 1) * nRanks; });
  }
  std::atomic<int> pids[kMostRanks]{};
  std::atomic<std::uint64_t> words[kMostRanks]{};  // for what a scenario has to pass beside the path

 private:
  std::atomic<int> arrived_{0};
};

}  // namespace ulysses::test
