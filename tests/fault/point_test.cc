// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row C1 of the fault matrix at every fault point: a rank ends at a known place of an operation.
#include <unistd.h>

#include <csignal>
#include <thread>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;

struct Times {
  std::vector<double> detectMs, shrinkMs;
  int texts = 0, withSignal = 0;
};

/// What the survivors see: the error, which they note, and when; then they go on.
void survive(Rank& rank, Load load, int victim, std::int64_t* failedNs) {
  std::thread([] {}).join();  // thread sanitizer starts a thread of its own with a process's first
  const Census before = takeCensus();
  const ulyssesComm_t comm = rank.join(20'000);
  const ulyssesResult_t result = loopUntilFailure(rank, comm, load);
  *failedNs = rank.own().timeNs.load();
  rank.expectResult(result, ulyssesRemoteLost, "a rank was killed");
  rank.note(lastError());
  rank.expectText(lastError(), {"rank " + std::to_string(victim) + " was lost: pid ", " op ", "died"}, "the error");
  goOnWithout(rank, comm, kRanks - 1);
  rank.expectNone(changeSince(before), "left behind");
}

void killAt(const std::string& point, Load load, int victim, int times, Times& all) {
  SCOPED_TRACE("rank " + std::to_string(victim) + " ends at " + point + " the " + std::to_string(times) + ". time, " +
               nameOf(load));
  Team team(kRanks, [&](Rank& rank) {
    std::int64_t failedNs = 0;
    if (rank.rank() == victim) {
      armPoint(point, "kill", times);
      (void)loopUntilFailure(rank, rank.join(20'000), load);
      rank.expect(false, "the victim lives");
    } else {
      survive(rank, load, victim, &failedNs);
      rank.sheet().flags[rank.rank()].store(failedNs);
    }
  });
  team.expectEnd(victim, SIGKILL);
  team.expectRight();
  for (int rank = 0; rank < kRanks; ++rank) {
    if (rank == victim) continue;
    // The victim's last call began at most one exchange before its end.
    const double ms =
        static_cast<double>(team.sheet().flags[rank].load() - team.sheet().ranks[victim].timeNs.load()) / 1e6;
    EXPECT_LT(ms, 2000) << "rank " << rank;
    all.detectMs.push_back(ms);
    all.shrinkMs.push_back(static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6);
    EXPECT_LT(all.shrinkMs.back(), 5000) << "rank " << rank;
    for (const std::string& text : team.notes(rank)) {
      EXPECT_EQ(missingFrom(text, {"pid " + std::to_string(team.pid(victim))}), "");
      ++all.texts;
      all.withSignal += text.find("killed by signal 9") != std::string::npos;
    }
  }
}

void killAtAll(Load load, const std::vector<std::string>& points) {
  Times all;
  int victim = 0;
  for (const std::string& point : points)
    for (const int times : {1, 3}) {
      if (point == "op.segment_told" && times > 1) continue;  // a segment is told once
      killAt(point, load, victim++ % kRanks, times, all);
      if (testing::Test::HasFailure()) return;
    }
  recordTimes("detect_ms", all.detectMs);
  recordTimes("shrink_ms", all.shrinkMs);
  EXPECT_GT(all.withSignal, kernelTellsExits() ? all.texts / 2 : -1);
}

TEST(KilledAt, EveryPointRegisteredMemory) {
  killAtAll(Load::Registered,
            {"op.announcing", "op.segment_told", "op.announced", "op.agreed", "op.moved", "op.closed"});
}

TEST(KilledAt, EveryPointPrivateMemory) {
  killAtAll(Load::Private,
            {"op.announcing", "op.announced", "op.agreed", "op.chunk_sent", "op.chunk_taken", "op.moved", "op.closed"});
}

TEST(KilledAt, EveryPointSum) {
  killAtAll(Load::Sum,
            {"op.announced", "op.agreed", "op.chunk_sent", "op.chunk_taken", "op.summing", "op.moved", "op.closed"});
}

}  // namespace

}  // namespace ulysses::test
