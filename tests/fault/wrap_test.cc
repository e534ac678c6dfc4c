// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row H2 of the fault matrix: numbers that pass 2^32. Counts of control messages begin near it in every build; fault
// points begin the numbers of operations and segments near it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "fault/survivors.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3;
constexpr std::uint64_t kWrap = std::uint64_t{1} << 32;

/// As many operations as a communicator holds, started at once and waited for; the numbers of the first and the last.
std::pair<std::uint64_t, std::uint64_t> exchangeEightAtOnce(const Rank& rank, ulyssesComm_t comm, int round) {
  constexpr int kAtOnce = 8;
  std::vector<std::unique_ptr<Trial>> trials;
  std::vector<ulyssesRequest_t> requests(kAtOnce);
  for (int i = 0; i < kAtOnce; ++i) {
    trials.push_back(std::make_unique<Trial>(rank.rank(), kRanks, TrialOptions{.registered = i % 2 == 0}));
    trials.back()->reset(round + i);
    rank.expectResult(trials.back()->start(comm, &requests[static_cast<std::size_t>(i)]), ulyssesSuccess, "start");
  }
  const std::pair numbers(requests.front().sequence, requests.back().sequence);
  for (int i = 0; i < kAtOnce; ++i) {
    rank.expectResult(ulyssesWait(&requests[static_cast<std::size_t>(i)]), ulyssesSuccess, "wait");
    rank.expect(trials[static_cast<std::size_t>(i)]->isRight(), "wrong bytes of request " + std::to_string(i));
  }
  return numbers;
}

/// The twentieth operation is number 2^32: before, across and after it.
TEST(Wrap, OperationNumbers) {
  Team team(kRanks, [](Rank& rank) {
    armPoint("exchange.numbers", "fail");
    const ulyssesComm_t comm = rank.join(10'000);
    Trial plain(rank.rank(), kRanks), registered(rank.rank(), kRanks, {.registered = true});
    for (int round = 0; round < 8; ++round) {
      rank.expectNone(plain.exchange(comm, round), "before");
      rank.expectNone(registered.exchange(comm, round), "before");
    }
    const auto across = exchangeEightAtOnce(rank, comm, 100);
    rank.expect(across.first < kWrap && across.second > kWrap,
                "numbers " + std::to_string(across.first) + ".." + std::to_string(across.second) + " are not across");
    for (int round = 0; round < 40; ++round) rank.expectNone(plain.exchange(comm, round), "after");
    const auto after = exchangeEightAtOnce(rank, comm, 200);
    // The errors of one call leave the others in step, and name its number.
    plain.reset();
    plain.tensors[0].headDim = rank.rank() == 1 ? 8 : Trial::kHeadDim;
    rank.expectResult(plain.call(comm), ulyssesMismatch, "a call that differs");
    rank.expectText(lastError(), {"scatter_heads op " + std::to_string(after.second + 1)}, "a call that differs");
    rank.expectNone(plain.exchange(comm, 300), "after the mismatch");
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

/// A rank that is lost is told by its last number.
TEST(Wrap, ADeathBeyond) {
  Team team(kRanks, [](Rank& rank) {
    armPoint("exchange.numbers", "fail");
    const ulyssesComm_t comm = rank.join(10'000);
    Trial trial(rank.rank(), kRanks);
    for (int round = 0; round < 30; ++round) rank.expectNone(trial.exchange(comm, round), "before");
    rank.meet();  // or the first to miss rank 1 ends an exchange that another has not returned from
    if (rank.rank() == 1) _exit(0);
    rank.expectResult(loopUntilFailure(rank, comm, Load::Registered), ulyssesRemoteLost, "rank 1 left");
    rank.expectText(lastError(), {"rank 1 was lost", "op 4294967306"}, "rank 1 left");
    goOnWithout(rank, comm, kRanks - 1);
  });
  team.expectEnd(1, 0);
  team.expectRight();
}

/// Two messages a round: a segment came, another went. The count passes 2^32 at the 64th.
void exchangeNewSegments(Rank& rank) {
  const ulyssesComm_t comm = rank.join(10'000);
  for (int round = 0; round < 100; ++round) {
    Trial trial(rank.rank(), kRanks, {.registered = true});
    for (int again = 0; again < 2; ++again)
      if (!rank.expectNone(trial.exchange(comm, round + again), "round " + std::to_string(round))) return;
  }
  rank.meet();
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
}

TEST(Wrap, ControlMessages) {
  Team team(kRanks, exchangeNewSegments);
  team.expectRight();
}

/// At one rank only: the others' segments have small numbers.
TEST(Wrap, SegmentNumbers) {
  Team team(kRanks, [](Rank& rank) {
    if (rank.rank() == 1) armPoint("segment.id", "fail");
    exchangeNewSegments(rank);
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
