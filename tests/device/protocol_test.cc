// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernels say to each other, run by CPU threads: every thread of every block of every rank is one. Under the
// thread sanitizer this also shows that no byte is read or written before the words that order it.
#include "kernels/device/protocol.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "cpu_machine.h"
#include "cpu_ranks.h"

namespace ulysses::test {
namespace {

using device::Trouble;

constexpr std::uint32_t kNearWrap = 0u - 4u;
// Long beside what a thread may have to wait for a core on a busy machine.
constexpr std::uint64_t kShortNs = 1'500'000'000;

struct Grid {
  std::uint32_t blocks, threads;
};

/// Calls fn(rank) for all ranks at once.
template <typename Fn>
void together(int nRanks, Fn&& fn) {
  std::vector<std::jthread> running;
  for (int rank = 0; rank < nRanks; ++rank) running.emplace_back([&fn, rank] { fn(rank); });
}

Trouble troubleOf(CpuRanks& ranks, int rank) { return static_cast<Trouble>(ranks.report(rank).state); }

/// A seed whose exchange moves something between all ranks and, as wanted, sums.
std::uint64_t seedWith(int nRanks, bool sums) {
  for (std::uint64_t seed = 0;; ++seed) {
    const DeviceCase run(nRanks, seed, 4);
    bool good = run.run().spec.batch > 0;
    for (int rank = 0; rank < nRanks; ++rank)
      good = good && run.work(rank).sums().empty() != sums && (sums || !run.work(rank).pushes().empty());
    if (good) return seed;
  }
}

class Exchanges : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Ranks, Exchanges, testing::Combine(testing::Values(2, 3, 4), testing::Bool()),
                         [](const auto& test) {
                           return std::to_string(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "_sum" : "_push");
                         });

// After its exchange a rank may overwrite its inputs and read its outputs at once, whatever its peers are doing.
TEST_P(Exchanges, FollowOneAnotherAcrossTheWrapWithSkew) {
  const auto [nRanks, sums] = GetParam();
  constexpr int kExchanges = 10;
  const DeviceCase run(nRanks, seedWith(nRanks, sums), 2);
  CpuRanks ranks(run, kNearWrap);
  std::vector<std::string> differences(static_cast<std::size_t>(nRanks));
  together(nRanks, [&](int rank) {
    Rng rng(static_cast<std::uint64_t>(rank), 1, 2);
    for (int i = 0; i < kExchanges && differences[static_cast<std::size_t>(rank)].empty(); ++i) {
      if (rng.chance(40)) std::this_thread::sleep_for(std::chrono::milliseconds(rng.between(0, 5)));
      launch(ranks.call(rank), 1 + static_cast<std::uint32_t>(i % 3), 1 + static_cast<std::uint32_t>(i / 3 % 2));
      differences[static_cast<std::size_t>(rank)] = ranks.difference(rank, run.after(rank));
      std::fill(ranks.arena(rank).begin(), ranks.arena(rank).end(), std::byte{0xA5});
      ranks.arena(rank) = run.before(rank);
    }
  });
  for (int rank = 0; rank < nRanks; ++rank) {
    EXPECT_EQ(differences[static_cast<std::size_t>(rank)], "");
    EXPECT_EQ(troubleOf(ranks, rank), Trouble::kNone);
    EXPECT_EQ(ranks.board(rank).local().epoch, kNearWrap + kExchanges);
  }
}

class Trouble3 : public testing::Test {
 protected:
  static constexpr int kRanks = 3;
  static constexpr Grid kGrid{2, 2};

  /// Of tests in which somebody is waited for in vain; the others' waits end long before their deadlines.
  void waitShortly() {
    for (int rank = 0; rank < kRanks; ++rank) ranks_.call(rank).timeoutNs = kShortNs;
  }
  void launchAllBut(int absent) {
    together(kRanks, [&](int rank) {
      if (rank != absent) launch(ranks_.call(rank), kGrid.blocks, kGrid.threads);
    });
  }
  void expectUntouched(int rank) { EXPECT_EQ(ranks_.difference(rank, run_.before(rank)), ""); }

  DeviceCase run_{kRanks, seedWith(kRanks, false), 2};
  CpuRanks ranks_{run_, kNearWrap};
};

TEST_F(Trouble3, ARankThatStaysAwayIsNamed) {
  waitShortly();
  const auto begin = std::chrono::steady_clock::now();
  launchAllBut(1);
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, std::chrono::nanoseconds(kShortNs));
  EXPECT_LT(waited, std::chrono::seconds(20));  // it ends; how soon is not for a test on a busy machine
  int timeouts = 0;
  for (const int rank : {0, 2}) {
    const Trouble trouble = troubleOf(ranks_, rank);
    EXPECT_TRUE(trouble == Trouble::kTimeout || trouble == Trouble::kRevoked);
    EXPECT_EQ(ranks_.report(rank).peer, 1);
    EXPECT_EQ(ranks_.report(rank).epoch, kNearWrap + 1);
    EXPECT_EQ(ranks_.report(rank).whileClosing, 0u);
    expectUntouched(rank);
    timeouts += trouble == Trouble::kTimeout;
  }
  EXPECT_GE(timeouts, 1);
}

TEST_F(Trouble3, ARankThatComesTooLateWritesNothing) {
  waitShortly();
  launchAllBut(1);
  launch(ranks_.call(1), kGrid.blocks, kGrid.threads);
  EXPECT_EQ(troubleOf(ranks_, 1), Trouble::kRevoked);
  for (int rank = 0; rank < kRanks; ++rank) expectUntouched(rank);
}

// Its epoch is still that of the letter that peers may be writing by.
TEST_F(Trouble3, AfterTroubleALetterIsLeftAsItIs) {
  waitShortly();
  launchAllBut(1);
  const device::Letter sent = ranks_.board(2).from(0).letter;
  ASSERT_EQ(sent.callHash, ranks_.call(0).letter.callHash);
  ranks_.call(0).letter.callHash = 43;
  launch(ranks_.call(0), kGrid.blocks, kGrid.threads);
  EXPECT_EQ(std::memcmp(&ranks_.board(2).from(0).letter, &sent, sizeof(sent)), 0);
}

// One of the rank's two blocks comes to an end, the other is never run.
TEST_F(Trouble3, ARankThatStopsInTheMiddleIsNamed) {
  waitShortly();
  together(kRanks, [&](int rank) {
    if (rank != 2) return launch(ranks_.call(rank), kGrid.blocks, kGrid.threads);
    CpuBlock shared(1);
    CpuMachine machine({0, 2, 0, 1}, &shared);
    device::Protocol<CpuMachine> protocol(ranks_.call(2), machine);
    EXPECT_TRUE(protocol.meet());
    EXPECT_TRUE(protocol.finish());
  });
  int closing = 0;
  for (const int rank : {0, 1}) {
    EXPECT_NE(troubleOf(ranks_, rank), Trouble::kNone);
    EXPECT_EQ(ranks_.report(rank).peer, 2);
    closing += troubleOf(ranks_, rank) == Trouble::kTimeout && ranks_.report(rank).whileClosing == 1;
  }
  EXPECT_GE(closing, 1);
}

TEST_F(Trouble3, AnotherCallIsAMismatchBeforeAByteMoves) {
  ranks_.call(2).letter.callHash = 43;
  launchAllBut(-1);
  bool named = false;
  for (int rank = 0; rank < kRanks; ++rank) {
    const device::Report& report = ranks_.report(rank);
    EXPECT_NE(troubleOf(ranks_, rank), Trouble::kNone);
    if (troubleOf(ranks_, rank) == Trouble::kMismatch) {
      named = true;
      EXPECT_NE(report.own, report.theirs);
      EXPECT_EQ(report.own, ranks_.call(rank).letter.callHash);
      EXPECT_EQ(report.theirs, ranks_.call(report.peer).letter.callHash);
    }
    expectUntouched(rank);
  }
  EXPECT_TRUE(named);
}

TEST_F(Trouble3, ACallThatCannotBeMadeFailsEverywhere) {
  ranks_.call(0).letter.poison = 7;
  launchAllBut(-1);
  bool named = false;
  for (int rank = 0; rank < kRanks; ++rank) {
    EXPECT_NE(troubleOf(ranks_, rank), Trouble::kNone);
    named = named || (troubleOf(ranks_, rank) == Trouble::kPoison && ranks_.report(rank).theirs == 7 &&
                      ranks_.report(rank).peer == 0);
    expectUntouched(rank);
  }
  EXPECT_TRUE(named);
}

TEST_F(Trouble3, MemoryThatIsNotKnownIsNotTouched) {
  const auto spoil = [&](int which, device::TensorPlace& place) {
    if (which == 0) place.segment = 0;
    if (which == 1) place.segment = DeviceCase::kSegments;
    if (which == 2) place.offset = std::ssize(run_.before(1));
    if (which == 3) place.begin = -place.offset - 1;
  };
  for (int which = 0; which < 4; ++which) {
    CpuRanks ranks(run_, kNearWrap);
    int tensor = 0;
    while (ranks.call(1).letter.tensors[tensor].begin == ranks.call(1).letter.tensors[tensor].end) ++tensor;
    spoil(which, ranks.call(1).letter.tensors[tensor]);
    together(kRanks, [&](int rank) { launch(ranks.call(rank), kGrid.blocks, kGrid.threads); });
    bool named = false;
    for (const int rank : {0, 2}) {
      EXPECT_NE(troubleOf(ranks, rank), Trouble::kNone) << which;
      named = named || (troubleOf(ranks, rank) == Trouble::kUnknownMemory && ranks.report(rank).peer == 1 &&
                        ranks.report(rank).theirs == static_cast<std::uint64_t>(tensor));
    }
    EXPECT_TRUE(named) << which;
  }
}

TEST_F(Trouble3, ARevokedCommunicatorEndsItsWaits) {
  std::jthread revoker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (int rank = 0; rank < kRanks; ++rank)
      std::atomic_ref(ranks_.board(rank).local().revoked.value).store(1, std::memory_order_release);
  });
  launchAllBut(0);
  for (const int rank : {1, 2}) EXPECT_EQ(troubleOf(ranks_, rank), Trouble::kRevoked);
}

}  // namespace
}  // namespace ulysses::test
