// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A rank's host side of exchanges between GPUs. Runs with threads for kernels, and on a GPU (tests/gpu).
#include "path/cuda/device_rank.h"

#include <gtest/gtest.h>

#include "device_ranks.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

// Each case has three exchanges under way at once; none waits for the one before.
TEST(DeviceRank, RandomGeometriesAreTheOraclesBits) {
  for (std::uint64_t seed = 0; seed < deviceCases(); ++seed) {
    const DeviceCase run(static_cast<int>(seed % 8) + 1, seed, 64);
    DeviceRanks ranks(run);
    ranks.registerArenas();
    for (int i = 0; i < 3; ++i) ranks.enqueueAll(i);
    ranks.wait();
    ASSERT_EQ(ranks.difference(), "") << "seed " << seed << ", " << run.nRanks() << " ranks, "
                                      << toText(run.run().spec);
  }
}

TEST(DeviceRank, EpochsWrap) {
  const DeviceCase run(2, fullSeed(2), 64);
  DeviceRanks ranks(run);
  ranks.registerArenas();
  for (int i = 0; i < 70; ++i) {
    ranks.restore();
    ranks.enqueueAll(i % 2);
    ranks.wait();
    ASSERT_EQ(ranks.difference(), "") << "exchange " << i;
  }
}

TEST(DeviceRank, MemoryThatPeersHaveNotMappedIsNamed) {
  const DeviceCase run(2, fullSeed(2), 64);
  DeviceRanks ranks(run);
  const std::string error = errorOf([&] { ranks[0].enqueue(); });
  EXPECT_EQ(error.find("InvalidUsage: tensors["), 0u) << error;
  EXPECT_NE(error.find("register it with ulyssesCommRegister at every rank"), std::string::npos) << error;
}

TEST(DeviceRank, ACallThatOneRankCannotMakeFailsAtAll) {
  const DeviceCase run(3, fullSeed(3), 64);
  DeviceRanks ranks(run);
  ranks.registerArenas();
  ranks[0].enqueue();
  ranks[1].end().refuse(Result::OutOfMemory, ranks[1].device().stream());
  ranks[2].enqueue();
  ranks.wait();
  int named = 0;
  for (int rank = 0; rank < 3; ++rank) {
    const auto trouble = ranks[rank].end().trouble();
    ASSERT_TRUE(trouble);
    EXPECT_EQ(trouble->sequence, 1u);
    EXPECT_EQ(ranks[rank].bytes(), run.before(rank));
    named += std::string(trouble->text) == "device exchange 1: rank 1 could not make the call: out of memory" &&
             trouble->result == static_cast<std::int32_t>(Result::RemoteInvalid);
  }
  EXPECT_GE(named, 1);
}

TEST(DeviceRank, ARankThatDoesNotCallIsNamedAndLaterWritesNothing) {
  const DeviceCase run(2, fullSeed(2), 64);
  DeviceRanks ranks(run, 100);
  ranks.registerArenas();
  ranks[0].enqueue();
  ranks.wait();
  const auto trouble = ranks[0].end().trouble();
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->result, static_cast<std::int32_t>(Result::Timeout));
  EXPECT_EQ(std::string(trouble->text),
            "device exchange 1: rank 1 did not come within 100 ms; look whether it made the call, and what its stream "
            "waits for");
  ranks[1].enqueue();
  ranks.wait();
  EXPECT_EQ(ranks[1].end().trouble()->result, static_cast<std::int32_t>(Result::Aborted));
  for (int rank = 0; rank < 2; ++rank) EXPECT_EQ(ranks[rank].bytes(), run.before(rank));
}

TEST(Segments, AreFoundByWhatTheyHoldAndFillUp) {
  const auto device = makeTestDevice();
  Segments segments(device->runtime(), 1, 2);
  std::byte memory[256];
  std::byte *const theirs = memory, *const own = memory + 128;
  const std::array<device::Segment, 2> both{device::Segment{theirs, 64}, device::Segment{own, 64}};
  for (std::uint32_t i = 0; i < Segments::kMost; ++i) EXPECT_EQ(segments.add(both), i);
  EXPECT_NE(errorOf([&] { segments.add(both); }).find("64 ranges of device memory are registered"), std::string::npos);
  EXPECT_EQ(segments.find(own + 8, own + 64)->offset, 8);
  EXPECT_FALSE(segments.find(own + 8, own + 65));
  EXPECT_FALSE(segments.find(theirs, theirs + 1));
  segments.remove(5);
  EXPECT_EQ(segments.add(both), 5u);
}

}  // namespace
}  // namespace ulysses::test
