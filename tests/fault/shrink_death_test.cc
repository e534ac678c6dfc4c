// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row C6 of the fault matrix: ranks end while others shrink. All survivors get the same communicator.
#include <unistd.h>

#include <csignal>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 5, kFirst = 4;

/// Rank 4 ends in an operation, `second` at that point of the shrink; the three others must go on together.
std::vector<double> dieWhileShrinking(const std::string& point, int second, int times) {
  SCOPED_TRACE("rank " + std::to_string(second) + " ends at " + point + " the " + std::to_string(times) + ". time");
  Team team(kRanks, [&](Rank& rank) {
    const ulyssesComm_t comm = rank.join(20'000);
    if (rank.rank() == kFirst) armPoint("op.agreed", "kill", 3);
    (void)loopUntilFailure(rank, comm, Load::Registered);
    if (rank.rank() == second) {
      armPoint(point, "kill", times);
      ulyssesComm_t made = nullptr;
      const ulyssesResult_t result = ulyssesCommShrink(comm, nullptr, 0, &made, nullptr);
      rank.expect(false, "the second victim lives after shrink: " + nameOf(result));
    }
    const std::int64_t start = nowNs();
    ulyssesComm_t made = nullptr;
    if (!rank.expectResult(ulyssesCommShrink(comm, nullptr, 0, &made, nullptr), ulyssesSuccess, "shrink")) return;
    // Who got it in the moment of the death has it with the dead rank, as all others then: a second shrink works.
    if (int n = 0; ulyssesCommCount(made, &n) == ulyssesSuccess && n == kRanks - 1) {
      rank.note("shrunk twice");
      rank.expect(!exchangeOn(made).empty(), "an exchange with a dead rank");
      goOnWithout(rank, made, kRanks - 2);
    } else {
      rank.expect(n == kRanks - 2, "ranks left: " + std::to_string(n));
      rank.expectNone(exchangeOn(made), "exchange of the survivors");
      (void)ulyssesCommDestroy(made);
    }
    rank.own().timeNs.store(nowNs() - start);
    (void)ulyssesCommDestroy(comm);
  });
  team.expectEnd(kFirst, SIGKILL);
  team.expectEnd(second, SIGKILL);
  team.expectRight();
  std::vector<double> ms;
  std::size_t twice = 0;
  for (int rank = 0; rank < kRanks; ++rank) {
    if (rank == kFirst || rank == second) continue;
    ms.push_back(static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6);
    EXPECT_LT(ms.back(), 10'000) << "rank " << rank;
    twice += team.notes(rank).size();
  }
  EXPECT_TRUE(twice == 0 || twice == ms.size()) << twice << " of " << ms.size() << " had the communicator";
  return ms;
}

void atPoints(const std::vector<std::string>& points, const std::vector<int>& victims) {
  std::vector<double> ms;
  for (const std::string& point : points)
    for (const int victim : victims) {
      for (const double each : dieWhileShrinking(point, victim, 1)) ms.push_back(each);
      if (testing::Test::HasFailure()) return;
    }
  recordTimes("shrink_ms", ms);
}

TEST(ShrinkDeath, AnyRank) {
  atPoints({"regroup.proposed", "init.listening", "join.hello_sent", "join.half_introduced", "init.joined",
            "regroup.joined", "regroup.confirmed"},
           {0, 1, 3});
}

TEST(ShrinkDeath, AfterConnecting) { atPoints({"init.connected"}, {0, 2, 3}); }

/// The leader, which also has the rendezvous and the board.
TEST(ShrinkDeath, TheLeader) {
  atPoints({"regroup.deciding", "regroup.decided", "regroup.offered", "root.rank_joined", "root.answered",
            "init.half_connected", "init.board_made", "init.board_shared"},
           {0});
  for (const int times : {2, 3}) dieWhileShrinking("root.answered", 0, times);
}

/// Rank 0 and another at once, in an operation.
TEST(ShrinkDeath, TwoAtOnce) {
  std::vector<double> ms;
  for (const int second : {1, 2, 3}) {
    Team team(kRanks, [&](Rank& rank) {
      const ulyssesComm_t comm = rank.join(20'000);
      (void)loopUntilFailure(rank, comm, Load::Registered);
      goOnWithout(rank, comm, kRanks - 2);
    });
    ASSERT_TRUE(team.allReached(3));
    kill(team.pid(0), SIGKILL);
    kill(team.pid(second), SIGKILL);
    team.expectEnd(0, SIGKILL);
    team.expectEnd(second, SIGKILL);
    team.expectRight();
    for (int rank = 1; rank < kRanks; ++rank)
      if (rank != second) ms.push_back(static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6);
  }
  recordTimes("shrink_ms", ms);
}

}  // namespace

}  // namespace ulysses::test
