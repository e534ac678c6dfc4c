// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs one scenario at every rank of a communicator's path: as threads on SelfPath, as processes on ShmPath and
// UcxPath.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "meeting.h"
#include "path/board_path.h"

namespace ulysses::test {

struct RankContext {
  std::unique_ptr<Path> path;
  int rank = 0, nRanks = 1;
  Meeting* meeting = nullptr;
  Board* board = nullptr;  // null: the path has none

  [[nodiscard]] bool meet() const { return meeting->meet(nRanks); }
  /// What describes a failure of this rank.
  std::string where() const { return std::string(path ? path->name() : "gone") + " rank " + std::to_string(rank); }
};

using Scenario = std::function<void(RankContext&)>;

/// Ranks as threads that share one board. Failures of any of them are the test's.
void runThreads(int nRanks, const Scenario& scenario);

/// Ranks as processes, joined by socket pairs. Fails unless each process ends without a failure; `killed` is the rank
/// that ends by SIGKILL instead, or -1.
void runProcesses(int nRanks, const Scenario& scenario, int killed = -1);

#ifdef ULYSSES_HAVE_UCX
/// Ranks as processes that reach each other over UCX, as if on hosts of their own.
void runUcx(int nRanks, const Scenario& scenario, int killed = -1);
#endif

/// For the tests of every path.
struct PathKind {
  const char* name;
  void (*run)(int nRanks, const Scenario& scenario);
  bool carriesRefs = true;
};
inline constexpr PathKind kSelf{"self", runThreads};
inline constexpr PathKind kShm{"shm", [](int nRanks, const Scenario& scenario) { runProcesses(nRanks, scenario); }};
#ifdef ULYSSES_HAVE_UCX
inline constexpr PathKind kUcx{"ucx", [](int nRanks, const Scenario& scenario) { runUcx(nRanks, scenario); }, false};
#endif

/// All that there are in this build.
inline auto allPaths() {
#ifdef ULYSSES_HAVE_UCX
  return testing::Values(kSelf, kShm, kUcx);
#else
  return testing::Values(kSelf, kShm);
#endif
}

}  // namespace ulysses::test
