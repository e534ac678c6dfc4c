// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// New communicators out of old ones: split, and shrink after ranks were lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <thread>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/survivors.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;

TEST(Split, ByColorAndKey) {
  Team team(kRanks, [](Rank& rank) {
    std::thread([] {}).join();  // thread sanitizer starts a thread of its own with a process's first
    const Census before = takeCensus();
    const ulyssesComm_t comm = rank.join(10'000);
    ulyssesComm_t half = nullptr;
    const int color = rank.rank() % 2;
    rank.expectResult(ulyssesCommSplit(comm, color, -rank.rank(), &half, nullptr), ulyssesSuccess, "split");
    rank.expect(sizeOf(half) == 2 && rankIn(half) == (rank.rank() < 2 ? 1 : 0), "place in the half");
    rank.expectNone(exchangeOn(half), "exchange in the half");
    rank.expectNone(exchangeOn(comm), "exchange in the whole");
    ulyssesComm_t again = nullptr;
    rank.expectResult(ulyssesCommSplit(half, 7, 0, &again, nullptr), ulyssesSuccess, "split of a split");
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy the whole");
    rank.expectNone(exchangeOn(again, false), "after the whole has gone");
    rank.expectResult(ulyssesCommDestroy(half), ulyssesSuccess, "destroy");
    rank.expectResult(ulyssesCommDestroy(again), ulyssesSuccess, "destroy");
    rank.expectNone(changeSince(before), "left after destroy");
  });
  team.expectRight();
}

TEST(Split, NoColorAndAlone) {
  Team team(3, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    ulyssesComm_t made = nullptr;
    for (int round = 0; round < 5; ++round) {
      const int color = rank.rank() == 1 ? ULYSSES_SPLIT_NOCOLOR : rank.rank();
      rank.expectResult(ulyssesCommSplit(comm, color, 0, &made, nullptr), ulyssesSuccess, "split");
      rank.expect((made == nullptr) == (rank.rank() == 1), "no color, no communicator");
      if (made == nullptr) continue;
      rank.expect(sizeOf(made) == 1, "alone");
      rank.expectNone(exchangeOn(made), "exchange alone");
      rank.expectResult(ulyssesCommDestroy(made), ulyssesSuccess, "destroy");
    }
    rank.expectResult(ulyssesCommSplit(comm, -2, 0, &made, nullptr), ulyssesInvalidArgument, "color -2");
    rank.expectResult(ulyssesCommSplit(comm, 0, 0, nullptr, nullptr), ulyssesInvalidArgument, "newComm NULL");
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

TEST(Split, ThreadsOfOneProcess) {
  ulyssesComm_t comms[kRanks] = {}, halves[kRanks] = {};
  ASSERT_EQ(ulyssesCommInitAll(comms, kRanks, nullptr), ulyssesSuccess);
  std::vector<std::thread> threads;
  std::string problems[kRanks];
  for (int rank = 0; rank < kRanks; ++rank)
    threads.emplace_back([&, rank] {
      if (ulyssesCommSplit(comms[rank], rank / 2, rank, &halves[rank], nullptr) != ulyssesSuccess)
        problems[rank] = lastError();
      else
        problems[rank] = exchangeOn(halves[rank]);
    });
  for (std::thread& thread : threads) thread.join();
  for (int rank = 0; rank < kRanks; ++rank) {
    EXPECT_EQ(problems[rank], "");
    EXPECT_EQ(ulyssesCommDestroy(comms[rank]), ulyssesSuccess);
    EXPECT_EQ(halves[rank] ? ulyssesCommDestroy(halves[rank]) : ulyssesSuccess, ulyssesSuccess);
  }
}

TEST(Split, WhoDoesNotCallIsNamed) {
  Team team(3, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.init_timeout_ms = 500;
    ulyssesComm_t made = nullptr;
    if (rank.rank() == 2) {
      rank.waitFlag(0, 2);
    } else {
      rank.expectResult(ulyssesCommSplit(comm, 0, 0, &made, &config), ulyssesTimeout, "rank 2 does not call");
      if (rank.rank() == 0) rank.expectText(lastError(), {"waiting for rank 2 to call"}, "leader");
      if (rank.rank() == 1) rank.expectText(lastError(), {"waiting for rank 0 to decide"}, "other");
      rank.sheet().flags[0].fetch_add(1);
      rank.waitFlag(0, 2);  // a rank that leaves at once would be the lost one
    }
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

TEST(Split, ALostRankIsToldToAll) {
  Team team(3, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    ulyssesComm_t made = nullptr;
    rank.own().step.store(1);
    if (rank.rank() == 2) pause();
    rank.waitFlag(0);
    rank.expectResult(ulyssesCommSplit(comm, 0, 0, &made, nullptr), ulyssesRemoteLost, "rank 2 was killed");
    rank.expectText(lastError(), {"rank 2 was lost", "ulyssesCommShrink"}, "split");
    rank.expectResult(ulyssesCommShrink(comm, nullptr, 0, &made, nullptr), ulyssesSuccess, "shrink");
    rank.expectNone(exchangeOn(made), "exchange of the survivors");
  });
  ASSERT_TRUE(team.allReached(1));
  team.signal(2, SIGKILL);
  team.sheet().flags[0].store(1);
  team.expectRight();
}

/// Exchanges until that fails, shrinks, and runs a verified exchange with those that are left.
void surviveAndGoOn(Rank& rank, int nLeft) {
  const ulyssesComm_t comm = rank.join(20'000);
  {
    Trial trial(rank.rank(), rank.nRanks(), {.registered = true});
    for (int round = 0; trial.exchange(comm, round).empty(); ++round) rank.own().step.fetch_add(1);
  }
  const std::int64_t start = nowNs();
  ulyssesComm_t left = comm;
  ulyssesComm_t made = nullptr;
  rank.own().step.store(1'000'000);
  if (!rank.expectResult(ulyssesCommShrink(left, nullptr, 0, &made, nullptr), ulyssesSuccess, "shrink")) return;
  rank.expect(sizeOf(made) == nLeft, "ranks left: " + std::to_string(sizeOf(made)));
  rank.expectNone(exchangeOn(made), "exchange of the survivors");
  rank.own().timeNs.store(nowNs() - start);
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  rank.expectResult(ulyssesCommDestroy(made), ulyssesSuccess, "destroy");
}

TEST(Shrink, AfterAKillAtTwentyMoments) {
  std::mt19937 random(3);
  std::vector<double> ms;
  for (int i = 0; i < 20 && !testing::Test::HasFailure(); ++i) {
    Team team(kRanks, [](Rank& rank) { surviveAndGoOn(rank, kRanks - 1); });
    ASSERT_TRUE(team.allReached(3));
    usleep(static_cast<useconds_t>(random() % 6000));
    team.signal(i % kRanks, SIGKILL);
    team.expectRight();
    for (int rank = 0; rank < kRanks; ++rank)
      if (rank != i % kRanks) ms.push_back(static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6);
  }
  if (ms.empty()) return;
  recordTimes("shrink_ms", ms);
  EXPECT_LT(*std::max_element(ms.begin(), ms.end()), 5000);
}

/// The leader dies while the others have begun to shrink.
TEST(Shrink, ASecondDeathMeanwhile) {
  for (int second = 0; second < 3; ++second) {
    SCOPED_TRACE("rank " + std::to_string(second) + " dies second");
    Team team(kRanks, [=](Rank& rank) {
      if (rank.rank() == second) {  // never calls shrink
        const ulyssesComm_t comm = rank.join(20'000);
        Trial trial(rank.rank(), rank.nRanks());
        while (trial.exchange(comm).empty()) rank.own().step.fetch_add(1);
        rank.own().step.store(1'000'000);
        pause();
      }
      surviveAndGoOn(rank, kRanks - 2);
    });
    ASSERT_TRUE(team.allReached(3));
    team.signal(3, SIGKILL);
    for (int rank = 0; rank < 3; ++rank)
      while (team.sheet().ranks[rank].step.load() < 1'000'000) usleep(100);
    usleep(20'000);
    team.signal(second, SIGKILL);
    team.expectRight();
  }
}

TEST(Shrink, AStoppedRankIsLeftOut) {
  Team team(3, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    rank.own().step.store(1);
    if (rank.rank() == 1) pause();
    rank.waitFlag(0);
    const int excluded = 1;
    ulyssesComm_t made = nullptr;
    rank.expectResult(ulyssesCommShrink(comm, &excluded, 1, &made, nullptr), ulyssesSuccess, "shrink");
    rank.expect(sizeOf(made) == 2, "two are left");
    rank.expectNone(exchangeOn(made), "exchange");
    rank.sheet().flags[1].fetch_add(1);
  });
  ASSERT_TRUE(team.allReached(1));
  team.signal(1, SIGSTOP);
  team.sheet().flags[0].store(1);
  for (int i = 0; i < 20'000 && team.sheet().flags[1].load() < 2; ++i) usleep(1000);
  team.signal(1, SIGKILL);
  team.expectRight();
}

TEST(Shrink, BadArguments) {
  Team team(2, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    ulyssesComm_t made = nullptr;
    const int self = rank.rank(), other = 2;
    rank.expectResult(ulyssesCommShrink(comm, &self, 1, &made, nullptr), ulyssesInvalidArgument, "itself");
    rank.expectResult(ulyssesCommShrink(comm, &other, 1, &made, nullptr), ulyssesInvalidArgument, "no rank");
    rank.expectResult(ulyssesCommShrink(comm, nullptr, 1, &made, nullptr), ulyssesInvalidArgument, "NULL");
    rank.expectResult(ulyssesCommShrink(comm, nullptr, -1, &made, nullptr), ulyssesInvalidArgument, "negative");
    rank.expectResult(ulyssesCommShrink(comm, nullptr, 0, &made, nullptr), ulyssesSuccess, "nobody was lost");
    rank.expect(sizeOf(made) == 2, "the same ranks");
    rank.expectNone(exchangeOn(made), "exchange");
  });
  team.expectRight();
}

TEST(Shrink, CallersThatLeaveOutOthersAreTold) {
  Team team(4, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    if (rank.rank() == 3) return rank.waitFlag(0, 3);
    const int excluded = 3;
    ulyssesComm_t made = nullptr;
    // Rank 0 leads and leaves out rank 3, rank 2 nobody.
    const int n = rank.rank() == 2 ? 0 : 1;
    rank.expectResult(ulyssesCommShrink(comm, n ? &excluded : nullptr, n, &made, nullptr), ulyssesMismatch, "shrink");
    rank.sheet().flags[0].fetch_add(1);
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
