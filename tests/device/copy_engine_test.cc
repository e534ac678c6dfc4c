// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Exchanges whose bytes copy engines move. Runs with threads for kernels and copies, and on a GPU (tests/gpu).
#include <gtest/gtest.h>

#include "device_ranks.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

constexpr std::uint32_t kTile = 64;

bool everyRank(int) { return true; }

DeviceCase threeRanks() { return {3, copyingSeed(3), kTile, DeviceCase::Layouts::Windows}; }

// Each case has three exchanges under way at once. In every third case one rank uses the kernel, the others engines.
TEST(CopyEngine, RandomGeometriesAreTheOraclesBits) {
  std::uint64_t copying = 0;
  for (std::uint64_t seed = 0; seed < deviceCases(); ++seed) {
    const DeviceCase run(static_cast<int>(seed % 7) + 2, seed, kTile, DeviceCase::Layouts::Windows);
    DeviceRanks ranks(run, 60'000, [&](int rank) { return seed % 3 != 0 || rank != 0; });
    ranks.registerArenas(true);
    int engines = 0;
    for (int i = 0; i < 3; ++i) engines += ranks.enqueueAll(i);
    ranks.wait();
    ASSERT_EQ(ranks.difference(), "") << "seed " << seed << ", " << run.nRanks() << " ranks, "
                                      << toText(run.run().spec);
    copying += engines > 0;
  }
  EXPECT_GT(copying, deviceCases() / 4);  // the draw must not dry up unnoticed
}

TEST(CopyEngine, OutsideOfWindowsTheKernelMovesAll) {
  const DeviceCase run = threeRanks();
  DeviceRanks ranks(run, 60'000, everyRank);
  ranks.registerArenas();
  EXPECT_EQ(ranks.enqueueAll(), 0);
  ranks.wait();
  EXPECT_EQ(ranks.difference(), "");
}

TEST(CopyEngine, WindowsAreFoundBeforeOtherRangesThatHoldATensor) {
  const DeviceCase run = threeRanks();
  DeviceRanks ranks(run, 60'000, everyRank);
  ranks.registerArenas();
  ranks.registerArenas(true);
  EXPECT_EQ(ranks.enqueueAll(), 3);
  ranks.wait();
  EXPECT_EQ(ranks.difference(), "");
}

TEST(CopyEngine, AnOutputAtAnotherOffsetIsAnAsynchronousMismatch) {
  const DeviceCase run = threeRanks();
  DeviceRanks ranks(run, 60'000, everyRank);
  ranks.registerArenas(true);
  ranks[1].outputs()[0] += 16;  // into its guard
  letCopiesRace();
  EXPECT_EQ(ranks.enqueueAll(), 3);
  ranks.wait();
  int named = 0;
  for (int rank = 0; rank < 3; ++rank) {
    const auto trouble = ranks[rank].end().trouble();
    ASSERT_TRUE(trouble);
    const bool mismatch = trouble->result == static_cast<std::int32_t>(Result::Mismatch);
    EXPECT_TRUE(mismatch || trouble->result == static_cast<std::int32_t>(Result::Aborted)) << trouble->text;
    named += mismatch && std::string(trouble->text).find("tensors[0].output of rank ") != std::string::npos;
  }
  EXPECT_GE(named, 1);
}

TEST(CopyEngine, APeersWindowThatIsTooSmallIsNamedBeforeAnythingIsEnqueued) {
  const DeviceCase run = threeRanks();
  DeviceRanks ranks(run, 60'000, everyRank);
  std::vector<device::Segment> windows;
  for (int rank = 0; rank < 3; ++rank)
    windows.push_back({ranks[rank].arena(), rank == 1 ? 100 : std::ssize(run.before(rank))});
  for (int rank = 0; rank < 3; ++rank) ranks[rank].end().segments().add(windows, true);
  const std::string error = errorOf([&] { ranks[0].enqueue(); });
  EXPECT_EQ(error.find("InvalidUsage: tensors["), 0u) << error;
  EXPECT_NE(error.find("rank 1 would be written from byte "), std::string::npos) << error;
  EXPECT_NE(error.find("of its window of 100 bytes"), std::string::npos) << error;
  ranks[0].device().wait();
  EXPECT_FALSE(ranks[0].end().trouble());
}

TEST(CopyEngine, ARankThatDoesNotCallIsNamedAndNobodyIsToldOfBytes) {
  const DeviceCase run = threeRanks();
  DeviceRanks ranks(run, 300, everyRank);
  ranks.registerArenas(true);
  ranks[0].enqueue();
  ranks[2].enqueue();
  ranks[0].device().wait();
  ranks[2].device().wait();
  int timeouts = 0;
  for (const int rank : {0, 2})
    timeouts += ranks[rank].end().trouble()->result == static_cast<std::int32_t>(Result::Timeout);
  EXPECT_GE(timeouts, 1);
  std::uint32_t& done = device::Board(ranks[1].end().board(), 3).done(0).value;
  EXPECT_EQ(ranks[1].device().read(reinterpret_cast<std::byte*>(&done), sizeof(done)), std::vector<std::byte>(4));
  ranks[1].enqueue();
  ranks.wait();
  EXPECT_EQ(ranks[1].end().trouble()->result, static_cast<std::int32_t>(Result::Aborted));
}

}  // namespace
}  // namespace ulysses::test
