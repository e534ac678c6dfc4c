// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What launches find when what they were given is gone. Runs with threads for kernels, and on a GPU (tests/gpu).
#include "path/cuda/launch_lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "device_ranks.h"

namespace ulysses::test {
namespace {

std::string textOf(const std::string& holder) {
  return "a CUDA graph launched an exchange of " + holder +
         " after that communicator was destroyed: nothing was exchanged; destroy graphs before their communicator, and "
         "capture them again with a new one";
}

// Alone: its peers are not called for, and are not told.
TEST(LaunchLease, WhatIsLaunchedAfterItsEndMovesNothingWaitsForNobodyAndIsNamedOnce) {
  const DeviceCase run(3, fullSeed(3), 64);
  DeviceRanks ranks(run);
  ranks.registerArenas();
  ranks.enqueueAll();
  ranks.wait();
  ASSERT_EQ(ranks.difference(), "");
  EXPECT_EQ(takeReplayText(), "");
  ranks.restore();
  ranks[1].end().retire();
  ranks[1].enqueue();
  ranks[1].device().wait();
  EXPECT_EQ(takeReplayText(), textOf("rank 1/3"));
  EXPECT_EQ(takeReplayText(), "");
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(ranks[rank].bytes(), run.before(rank));
    EXPECT_FALSE(ranks[rank].end().trouble());
  }
}

TEST(LaunchLease, WordsAreTakenAgainByLeasesOfOtherIds) {
  const auto device = makeTestDevice();
  device::Lease first;
  {
    LaunchLease lease(device->runtime(), "the first");
    first = lease.device();
    EXPECT_EQ(
        device->read(reinterpret_cast<const std::byte*>(first.word), sizeof(first.id)),
        Bytes({std::byte(first.id), std::byte(first.id >> 8), std::byte(first.id >> 16), std::byte(first.id >> 24)}));
  }
  EXPECT_EQ(device->read(reinterpret_cast<const std::byte*>(first.word), sizeof(first.id)), Bytes(4));
  LaunchLease second(device->runtime(), "the second");
  EXPECT_EQ(second.device().word, first.word);
  EXPECT_NE(second.device().id, first.id);
}

TEST(LaunchLease, ThereAreAsManyAsAreWanted) {
  const auto device = makeTestDevice();
  std::vector<std::unique_ptr<LaunchLease>> leases;
  std::set<const std::uint32_t*> words;
  for (int i = 0; i < 2500; ++i) {
    leases.push_back(std::make_unique<LaunchLease>(device->runtime(), "one of many"));
    words.insert(leases.back()->device().word);
  }
  EXPECT_EQ(words.size(), leases.size());
}

}  // namespace
}  // namespace ulysses::test
