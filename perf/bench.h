// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How a case is measured. Contenders are run in rounds, A B C A B C, each for a block of iterations after a warm-up, so
// that ratios of one round come from the same moment of a machine whose memory bandwidth drifts. Executed alike by
// every rank of the tool (Side::kRanks) and of its MPI helper (Side::kMpi); the sides take turns.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "case.h"
#include "contender.h"
#include "options.h"
#include "shared.h"

namespace ulysses::perf {

// Iterations of a case: `rounds` blocks of `block` timed ones for each contender.
struct Schedule {
  int warmups, rounds, block, blockWarmups;

  int iterations() const { return rounds * block; }
};

Schedule scheduleOf(const Options& options, const Case& test, int nContenders);

struct Entry {
  int index;  // in the shared area
  std::unique_ptr<Contender> contender;
};

class Bench {
 public:
  Bench(const Options& options, SharedArea& area, Side side, int rank, bool withMpi);

  // Runs this side's contenders of one case through all its turns. Times, counts of wrong elements and damaged guards
  // are in the shared area afterwards. `make` allocates them, on this side's first turn.
  template <typename Make>
  void run(const Case& test, int nContenders, Make make) {
    beginTurn();
    enter(Phase::kAllocating);
    std::vector<Entry> entries = make();
    measure(scheduleOf(options_, test, nContenders), entries);
  }

  // Ends a case: waits until the tool has shown it. `notify` is called by each of the tool's ranks, the last to act.
  template <typename Notify>
  void finishCase(Notify notify) {
    beginTurn();
    ++casesDone_;
    if (side_ == Side::kRanks) {
      notify();
      waitUntilAtLeast(area_.shown(), casesDone_);
    }
    endTurn();
  }

  Barrier& barrier() { return barrier_; }

 private:
  void measure(const Schedule& schedule, std::vector<Entry>& entries);
  void verify(Entry& entry, uint64_t seed);
  void timeBlock(const Entry& entry, const Schedule& schedule, int round);
  void timeBackToBack(const Entry& entry, int iterations);
  void checkAgain(Entry& entry);
  int64_t memoryOfRank();
  void beginTurn();
  void endTurn();
  void enter(Phase phase) { area_.slot(side_, rank_).enter(phase); }

  const Options& options_;
  SharedArea& area_;
  const Side side_;
  const int rank_;
  const bool withMpi_;
  Barrier barrier_;
  uint32_t turn_;  // the next one of this side
  uint32_t casesDone_ = 0;
};

}  // namespace ulysses::perf
