// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows B5 and B6 of the fault matrix: calls in another order, and calls that never come.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

TEST(Mismatch, TwoOperationsSwappedAtOneRank) {
  constexpr int kRanks = 3;
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    Trial first(rank.rank(), kRanks), second(rank.rank(), kRanks);
    second.op = ulyssesOpGatherHeads;
    Trial* calls[] = {&first, &second};
    for (int i = 0; i < 2; ++i) {
      const Trial& trial = *calls[rank.rank() == 1 ? 1 - i : i];
      rank.expectResult(trial.call(comm), ulyssesMismatch, "swapped");
      rank.expectText(
          lastError(),
          {"operation: rank 0 passed", "rank 1 passed", "scatter_heads", "gather_heads", "op " + std::to_string(i + 1)},
          "swapped");
    }
    rank.expect(first.isUntouched() && second.isUntouched(), "an output was written");
    rank.expectNone(first.exchange(comm), "afterwards");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

/// Each rank waits in the communicator that the other calls second: only the deadline can tell.
TEST(Mismatch, TwoCommunicatorsSwappedAtOneRank) {
  Team team(
      2,
      [](Rank& rank) {
        const ulyssesComm_t comms[] = {rank.join(700, 0), rank.join(700, 1)};
        const ulyssesComm_t comm = comms[rank.rank()];
        const Trial trial(rank.rank(), 2);
        const std::int64_t start = nowNs();
        rank.expectResult(trial.call(comm), ulyssesTimeout, "swapped communicators");
        rank.expect(msSince(start) >= 690, "before the deadline");
        const std::string other = "rank " + std::to_string(1 - rank.rank());
        rank.expectText(lastError(), {other + " (pid ", "did not call, its last operation is 0"}, "swapped");
        rank.meet();
        for (const ulyssesComm_t each : comms) (void)ulyssesCommDestroy(each);
      },
      2);
  team.expectRight();
}

constexpr int kRanks = 4, kAbsent = 3;
constexpr std::int64_t kTimeoutMs = 1000;
constexpr int kBefore = 5;  // operations that all ranks ran

void expectFirstCause(const Rank& rank, ulyssesComm_t comm, const std::string& cause) {
  const Trial trial(rank.rank(), kRanks);
  const std::int64_t start = nowNs();
  ulyssesRequest_t stale = {0, 1};
  for (int i = 0; i < 2; ++i) {
    rank.expectResult(trial.call(comm), ulyssesTimeout, "a later call");
    rank.expect(lastError() == cause, "the cause changed from " + cause + " to " + lastError());
    rank.expectText(lastError(comm), {"deadline passed", "rank 3 (pid ", "timeout_ms"}, "the cause by communicator");
    stale = {reinterpret_cast<std::uint64_t>(comm), 1};
    rank.expectResult(ulyssesWait(&stale), ulyssesInvalidUsage, "a stale request");  // must not hide the cause
  }
  rank.expect(msSince(start) < 300, "later calls take long");
  ulyssesResult_t state = ulyssesSuccess;
  rank.expectResult(ulyssesCommGetAsyncError(comm, &state), ulyssesSuccess, "asking for the state");
  rank.expect(state == ulyssesTimeout, "the state is " + nameOf(state));
}

/// Leaves in timeNs how long after its deadline's start the call came back.
void runWithAbsentRank(Rank& rank) {
  const ulyssesComm_t comm = rank.join(kTimeoutMs);
  Trial trial(rank.rank(), kRanks);
  for (int i = 0; i < kBefore; ++i) rank.expectNone(trial.exchange(comm, i), "before");
  rank.meet();
  if (rank.rank() == kAbsent) {
    for (int other = 0; other < kAbsent; ++other) rank.waitFlag(other);
  }
  const std::int64_t start = nowNs();
  rank.expectResult(trial.call(comm), ulyssesTimeout, "a rank is absent");
  rank.own().timeNs.store(nowNs() - start);
  const std::string cause = lastError();
  rank.expectText(cause,
                  {"rank 3 (pid ", "did not call, its last operation is " + std::to_string(kBefore),
                   "scatter_heads op 6", "deadline passed", "timeout_ms"},
                  "a rank is absent");
  rank.expect(cause.find("called but did not finish") == std::string::npos, "blames ranks that wait too: " + cause);
  rank.expect(rank.rank() != kAbsent || msSince(start) < 300, "a revoked communicator took long to say so");
  expectFirstCause(rank, comm, cause);
  rank.raiseFlag(rank.rank());
  rank.meet();
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
}

/// On a machine with other work a process may be put on a core late; the best of three must be on time.
TEST(Absent, RankIsNamedAtTheDeadline) {
  double late = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    Team team(kRanks, runWithAbsentRank);
    team.expectRight();
    late = 0;
    for (int rank = 0; rank < kAbsent; ++rank) {
      const double ms = static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6 - kTimeoutMs;
      // Whoever started first has its deadline first, and the others hear of it.
      EXPECT_GT(ms, -0.1 * kTimeoutMs) << "rank " << rank << " gave up early";
      late = std::max(late, ms);
    }
    std::printf("rank absent, timeout %ld ms: last rank back %.1f ms after its deadline\n",
                static_cast<long>(kTimeoutMs), late);
    if (late < 150 || HasFailure()) break;
  }
  EXPECT_LT(late, 150);
}

/// Messages are cut to a size on their way to the other ranks: the absent one must be in what is left.
TEST(Absent, LastOfEightIsNamedEverywhere) {
  constexpr int kMany = 8;
  Team team(kMany, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(700);
    const Trial trial(rank.rank(), kMany);
    rank.meet();
    if (rank.rank() != kMany - 1) {
      rank.expectResult(trial.call(comm), ulyssesTimeout, "rank 7 is absent");
      rank.expectText(lastError(), {"rank 7 (pid ", "did not call", "timeout_ms"}, "rank 7 is absent");
    }
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
