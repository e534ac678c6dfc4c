// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row C2 of the fault matrix: a rank that is alive but silent. And abort, which ends waiting.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "fault/census.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4, kStopped = 2;

TEST(Stop, StoppedRankIsCalledStopped) {
  for (const bool registered : {false, true}) {
    Team team(kRanks, [registered](Rank& rank) {
      const ulyssesComm_t comm = rank.join(800);
      Trial trial(rank.rank(), kRanks, {.registered = registered});
      ulyssesResult_t result = ulyssesSuccess;
      const std::int64_t start = nowNs();
      for (int round = 0; result == ulyssesSuccess && msSince(start) < 15'000; ++round) {
        trial.reset(round);
        result = trial.call(comm);
        rank.own().step.fetch_add(1);
      }
      rank.expectResult(result, ulyssesTimeout, "rank 2 was stopped");
      if (rank.rank() == kStopped) return;
      rank.expectText(lastError(), {"deadline passed", "rank 2 (pid ", "stopped by a signal", "scatter_heads op "},
                      "rank 2 was stopped");
      rank.expect(lastError().find("died") == std::string::npos, "stopped is not dead");
      rank.raiseFlag(rank.rank());
      rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    });
    ASSERT_TRUE(team.allReached(3));
    team.signal(kStopped, SIGSTOP);
    for (const int rank : {0, 1, 3})
      for (int i = 0; i < 2000 && team.sheet().flags[rank].load() == 0; ++i) usleep(5000);
    team.signal(kStopped, SIGCONT);  // it finds the communicator revoked
    team.expectRight();
  }
}

TEST(Stop, ContinuedBeforeTheDeadlineIsNoError) {
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    Trial trial(rank.rank(), kRanks, {.registered = rank.rank() % 2 == 0});
    // All must do as many: the last round is agreed on by who sees the flag, one round ahead.
    for (int round = 0; round < 100'000; ++round) {
      if (!rank.expectNone(trial.exchange(comm, round), "round " + std::to_string(round))) return;
      rank.own().step.fetch_add(1);
      if (rank.rank() == 0 && rank.sheet().flags[0].load() == 1 && rank.sheet().flags[1].load() == 0)
        rank.raiseFlag(1, round + 2);
      if (round + 1 == rank.sheet().flags[1].load()) break;
    }
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  ASSERT_TRUE(team.allReached(3));
  team.signal(kStopped, SIGSTOP);
  usleep(400'000);
  team.signal(kStopped, SIGCONT);
  team.sheet().flags[0].store(1);
  team.expectRight();
}

/// Rank 0 aborts while a thread of it waits; rank 1 waits too; rank 2 calls only later.
TEST(Abort, EndsWaitingEverywhere) {
  Team team(3, [](Rank& rank) {
    const Census before = takeCensus();
    const ulyssesComm_t comm = rank.join(20'000);
    {
      Trial trial(rank.rank(), 3, {.registered = true});
      rank.expectNone(trial.exchange(comm), "before");
      if (rank.rank() == 2) rank.waitFlag(0);  // aborted
      const std::vector<std::string> parts = {"rank 0 (pid ", "aborted communicator"};
      if (rank.rank() != 0) {
        rank.expectResult(trial.call(comm), ulyssesAborted, "rank 0 aborted");
        rank.expectText(lastError(), parts, "rank 0 aborted");
        if (rank.rank() == 1) rank.expect(rank.sheet().flags[1].load() == 1, "returned before the abort");
        rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
      } else {
        std::thread waiting([&] {
          rank.expectResult(trial.call(comm), ulyssesAborted, "the waiting thread");
          rank.expectText(lastError(), parts, "the waiting thread");
        });
        usleep(200'000);
        rank.raiseFlag(1);
        const std::int64_t start = nowNs();
        const ulyssesResult_t result = ulyssesCommAbort(comm);
        const double ms = msSince(start);
        waiting.join();
        rank.expectResult(result, ulyssesSuccess, "abort");
        rank.expect(ms < 1000, "abort took " + std::to_string(ms) + " ms");
        rank.expect(msSince(start) < 1500, "the waiting thread stayed");
        rank.expectResult(ulyssesCommAbort(comm), ulyssesInvalidUsage, "a second abort");
        rank.raiseFlag(0);
      }
    }
    rank.expectNone(changeSince(before), "left behind");
  });
  team.expectRight();
}

TEST(Abort, OutstandingOperationsAreOver) {
  Team team(2, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(20'000);
    Trial first(rank.rank(), 2), second(rank.rank(), 2);
    if (rank.rank() == 1) {
      rank.waitFlag(0);
      rank.expectResult(ulyssesCommAbort(comm), ulyssesSuccess, "abort");
      return;
    }
    ulyssesRequest_t requests[2];
    rank.expectResult(first.start(comm, &requests[0]), ulyssesSuccess, "start");
    rank.expectResult(second.start(comm, &requests[1]), ulyssesSuccess, "start");
    rank.raiseFlag(0);
    int done = 0;
    ulyssesResult_t result = ulyssesSuccess;
    for (const std::int64_t start = nowNs(); !done && msSince(start) < 5000;) result = ulyssesTest(&requests[0], &done);
    rank.expectResult(result, ulyssesAborted, "the first by test");
    rank.expectResult(ulyssesWait(&requests[1]), ulyssesAborted, "the second by wait");
    rank.expectText(lastError(), {"rank 1 (pid ", "aborted"}, "the second by wait");
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
