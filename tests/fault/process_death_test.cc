// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows C1 and C7 of the fault matrix: a rank is killed at any moment. Its peers know at once, who and why.
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <random>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;

/// Exchanges until one fails; leaves when in timeNs.
ulyssesResult_t loopUntilFailure(const Rank& rank, ulyssesComm_t comm, bool registered) {
  Trial trial(rank.rank(), rank.nRanks(), {.registered = registered});
  for (int round = 0;; ++round) {
    trial.reset(round);
    const ulyssesResult_t result = trial.call(comm);
    if (result != ulyssesSuccess) {
      rank.own().timeNs.store(nowNs());
      return result;
    }
    if (!rank.expect(trial.isRight(), "wrong bytes in round " + std::to_string(round))) return result;
    rank.own().step.fetch_add(1);
  }
}

/// What a survivor must be told; the test adds the victim's pid.
void survive(Rank& rank, bool registered, int victim) {
  const Census before = takeCensus();
  const ulyssesComm_t comm = rank.join(20'000);
  const ulyssesResult_t result = loopUntilFailure(rank, comm, registered);
  rank.expectResult(result, ulyssesRemoteLost, "a rank was killed");
  rank.note(lastError());
  rank.expectText(
      lastError(),
      {"rank " + std::to_string(victim) + " was lost: pid ", "scatter_heads op ", "died", "destroy this communicator"},
      "a rank was killed");
  const Trial trial(rank.rank(), rank.nRanks());
  rank.expectResult(trial.call(comm), ulyssesRemoteLost, "a later call");
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  rank.expectNone(changeSince(before), "left after destroy");
}

/// Linux tells a process's exit status to others than its parent from 6.15 on.
bool kernelTellsExits() {
  utsname name;
  int major = 0, minor = 0;
  return uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 15));
}

struct Detection {
  std::vector<double> ms;
  int texts = 0, textsWithSignal = 0;
};

void killOne(bool registered, int victim, int momentUs, Detection* detection) {
  Team team(kRanks, [=](Rank& rank) { survive(rank, registered, victim); });
  ASSERT_TRUE(team.allReached(3));
  usleep(static_cast<useconds_t>(momentUs));
  const std::int64_t killedNs = nowNs();
  team.signal(victim, SIGKILL);
  team.expectRight();
  for (int rank = 0; rank < kRanks; ++rank) {
    if (rank == victim) continue;
    const double ms = static_cast<double>(team.sheet().ranks[rank].timeNs.load() - killedNs) / 1e6;
    EXPECT_LT(ms, 2000) << "rank " << rank;
    detection->ms.push_back(ms);
    for (const std::string& text : team.notes(rank)) {
      EXPECT_EQ(missingFrom(text, {"pid " + std::to_string(team.pid(victim))}), "");
      ++detection->texts;
      detection->textsWithSignal += text.find("killed by signal 9") != std::string::npos;
    }
  }
}

void killAtTwentyMoments(bool registered) {
  std::mt19937 random(registered ? 1u : 2u);
  std::uniform_int_distribution<int> moment(0, 6000);
  Detection detection;
  for (int i = 0; i < 20 && !testing::Test::HasFailure(); ++i) {
    const int momentUs = moment(random);
    SCOPED_TRACE("rank " + std::to_string(i % kRanks) + " killed " + std::to_string(momentUs) + " us on");
    killOne(registered, i % kRanks, momentUs, &detection);
  }
  if (detection.ms.empty()) return;
  recordTimes("detect_ms", detection.ms);
  testing::Test::RecordProperty("signal_named_percent", 100 * detection.textsWithSignal / detection.texts);
  EXPECT_GT(detection.textsWithSignal, kernelTellsExits() ? detection.texts / 2 : -1);
}

TEST(ProcessDeath, KilledAtTwentyMomentsRegisteredMemory) { killAtTwentyMoments(true); }
TEST(ProcessDeath, KilledAtTwentyMomentsPrivateMemory) { killAtTwentyMoments(false); }

/// The first thing that fails is telling the dead rank of a new segment; the error is the same.
TEST(ProcessDeath, NewSegmentForADeadRank) {
  Team team(3, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(5000);
    Trial plain(rank.rank(), 3);
    rank.expectNone(plain.exchange(comm), "before");
    rank.own().step.store(1);
    rank.waitFlag(0);  // rank 1 is dead
    if (rank.rank() == 2) usleep(50'000);
    Trial fresh(rank.rank(), 3, {.registered = true});
    const std::int64_t start = nowNs();
    rank.expectResult(fresh.call(comm), ulyssesRemoteLost, "exchange with a dead rank");
    rank.expect(msSince(start) < 2000, "not at once");
    rank.expectText(lastError(), {"rank 1", "pid ", "died", "destroy this communicator"}, "exchange with a dead rank");
    (void)ulyssesCommDestroy(comm);
  });
  ASSERT_TRUE(team.allReached(1));
  team.signal(1, SIGKILL);
  team.sheet().flags[0].store(1);
  team.expectRight();
}

/// The others go on in a communicator without the dead rank.
TEST(ProcessDeath, SurvivorsMakeANewCommunicator) {
  Team team(
      kRanks,
      [](Rank& rank) {
        const ulyssesComm_t comm = rank.join(20'000);
        rank.expectResult(loopUntilFailure(rank, comm, true), ulyssesRemoteLost, "rank 1 was killed");
        const int as = rank.rank() == 0 ? 0 : rank.rank() - 1;
        const ulyssesComm_t smaller = rank.join(5000, 1, as, kRanks - 1);  // with the old one still there
        Trial trial(as, kRanks - 1, {.registered = true});
        for (int round = 0; round < 3; ++round) rank.expectNone(trial.exchange(smaller, round), "three of four");
        rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroying the revoked one");
        rank.expectNone(trial.exchange(smaller, 4), "afterwards");
        rank.sheet().flags[0].fetch_add(1);
        rank.waitFlag(0, kRanks - 1);
        rank.expectResult(ulyssesCommDestroy(smaller), ulyssesSuccess, "destroying the new one");
      },
      2);
  ASSERT_TRUE(team.allReached(3));
  team.signal(1, SIGKILL);
  team.expectRight();
}

TEST(ProcessDeath, AllKilledAndStartedAgainAtOnce) {
  for (int i = 0; i < 5 && !HasFailure(); ++i) {
    Team team(kRanks, [](Rank& rank) { (void)loopUntilFailure(rank, rank.join(20'000), true); });
    ASSERT_TRUE(team.allReached(3)) << "start " << i;
    for (int rank = 0; rank < kRanks; ++rank) team.signal(rank, SIGKILL);
  }
  EXPECT_EQ(temporaryEntries(), std::set<std::string>());
}

/// A rank that ends in order, but without destroying its communicator or finishing.
TEST(ProcessDeath, ExitIsNamedWithItsCode) {
  Team team(2, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2);
    rank.expectNone(trial.exchange(comm), "before");
    rank.meet();
    if (rank.rank() == 1) return;
    rank.expectResult(trial.call(comm), ulyssesRemoteLost, "rank 1 left");
    rank.expectText(lastError(), {"rank 1 was lost: pid ", "died"}, "rank 1 left");
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

TEST(ProcessDeath, DestroyIsNotTakenForDeath) {
  Team team(2, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2);
    rank.expectNone(trial.exchange(comm), "before");
    rank.meet();
    if (rank.rank() == 1) rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    if (rank.rank() == 0) {
      const std::int64_t start = nowNs();
      rank.expectResult(trial.call(comm), ulyssesRemoteLost, "rank 1 destroyed its end");
      rank.expect(msSince(start) < 1000, "not at once");
      rank.expectText(lastError(), {"rank 1 was lost: pid ", "destroyed its communicator"}, "rank 1 destroyed its end");
      rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    }
    rank.meet();
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
