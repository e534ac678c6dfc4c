// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows C8 and C2 of the fault matrix, the clock's part: who is late but in time is no error, and who is silent is one
// when the deadline says so, not earlier and not much later.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <thread>

#include "fault/figures.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3, kStopped = 1;

constexpr std::int64_t kDeadlineMs = 1000, kLateMs = kDeadlineMs / 2;
constexpr int kLanes = 5, kRounds = 20;  // side by side, so that a hundred late calls take ten seconds

/// Rounds in each of which one rank calls half a deadline late: "" or what went wrong. Counts the calls that waited.
std::string lateRounds(const Rank& rank, ulyssesComm_t comm, int* waited) {
  Trial trial(rank.rank(), kRanks, {.registered = rank.rank() != 0});
  for (int round = 0; round < kRounds; ++round) {
    const bool isLate = round % kRanks == rank.rank();
    if (isLate) usleep(kLateMs * 1000);
    const std::int64_t start = nowNs();
    if (std::string wrong = trial.exchange(comm, round); !wrong.empty())
      return "round " + std::to_string(round) + ": " + wrong;
    *waited += !isLate && msSince(start) > static_cast<double>(kLateMs) / 2;
  }
  return "";
}

TEST(Straggler, HalfTheDeadlineAHundredTimes) {
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t whole = rank.join(kDeadlineMs);
    ulyssesComm_t comms[kLanes] = {};
    for (ulyssesComm_t& comm : comms)
      rank.expectResult(ulyssesCommSplit(whole, 0, rank.rank(), &comm, nullptr), ulyssesSuccess, "split");
    rank.meet();
    std::string wrong[kLanes];
    int waited[kLanes] = {};
    std::vector<std::thread> lanes;
    for (int i = 0; i < kLanes; ++i) lanes.emplace_back([&, i] { wrong[i] = lateRounds(rank, comms[i], &waited[i]); });
    for (std::thread& lane : lanes) lane.join();
    for (int i = 0; i < kLanes; ++i) {
      rank.expectNone(wrong[i], "lane " + std::to_string(i));
      rank.expect(waited[i] > kRounds / 3, "waited in " + std::to_string(waited[i]) + " rounds only: shows nothing");
    }
    rank.meet();
    for (ulyssesComm_t comm : comms) rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    rank.expectResult(ulyssesCommDestroy(whole), ulyssesSuccess, "destroy");
  });
  team.expectRight(60'000);
}

/// How far from the deadline the survivors of a stopped rank returned, in milliseconds; the worst of them.
double deadlineErrorOf(std::int64_t deadlineMs) {
  Team team(kRanks, [deadlineMs](Rank& rank) {
    const ulyssesComm_t comm = rank.join(deadlineMs);
    Trial trial(rank.rank(), kRanks, {.registered = true});
    ulyssesResult_t result = ulyssesSuccess;
    for (int round = 0; result == ulyssesSuccess; ++round) {
      trial.reset(round);
      const std::int64_t start = nowNs();
      result = trial.call(comm);
      rank.own().timeNs.store(nowNs() - start);
      rank.own().step.fetch_add(1);
    }
    rank.expectResult(result, ulyssesTimeout, "a rank was stopped");
    if (rank.rank() != kStopped) rank.expectText(lastError(), {"rank 1 (pid ", "stopped by a signal"}, "the survivors");
    rank.raiseFlag(rank.rank());
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  EXPECT_TRUE(team.allReached(3));
  team.signal(kStopped, SIGSTOP);
  double worst = 0;
  for (const int rank : {0, 2}) {
    for (int i = 0; i < 4000 && team.sheet().flags[rank].load() == 0; ++i) usleep(5000);
    const double ms = static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6;
    worst = std::max(worst, std::abs(ms - static_cast<double>(deadlineMs)));
  }
  team.signal(kStopped, SIGCONT);  // it finds the communicator revoked
  team.expectRight();
  return worst;
}

/// Wanted are 10 %; what fails the test leaves room for a machine that does other things too.
TEST(StoppedRank, TimeoutComesAtTheDeadline) {
  double worstPercent = 0;
  for (const std::int64_t deadlineMs : {500, 1000}) {
    const double percent = 100 * deadlineErrorOf(deadlineMs) / static_cast<double>(deadlineMs);
    std::printf("deadline %lld ms: %.1f %% off\n", static_cast<long long>(deadlineMs), percent);
    worstPercent = std::max(worstPercent, percent);
  }
  recordFigure("stop_deadline_error_percent_max", worstPercent);
  EXPECT_LT(worstPercent, 40);
}

}  // namespace

}  // namespace ulysses::test
