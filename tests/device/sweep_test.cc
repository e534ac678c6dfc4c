// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernels' index arithmetic over whole grids, without GPU and without threads: every thread of every block, one
// after the other, against the index map of the specification. Acceptance: ULYSSES_TEST_CASES=20000.
#include <gtest/gtest.h>

#include "cpu_machine.h"
#include "cpu_ranks.h"
#include "kernels/device/push.h"
#include "kernels/device/sum.h"

namespace ulysses::test {
namespace {

void runGrid(CpuRanks& ranks, int rank, std::uint32_t blocks, std::uint32_t threads) {
  for (std::uint32_t block = 0; block < blocks; ++block)
    for (std::uint32_t thread = 0; thread < threads; ++thread) {
      const SerialMachine machine{block, blocks, thread, threads};
      device::push(ranks.call(rank), machine, ranks.board(rank));
      device::sum(ranks.call(rank), machine, ranks.board(rank));
    }
}

TEST(DeviceSweep, WholeGridsMoveTheIndexMap) {
  std::uint64_t sums = 0, vectors = 0;
  for (std::uint64_t seed = 0; seed < sweepCases(); ++seed) {
    Rng rng(seed, 3, 3);
    const int nRanks = static_cast<int>(rng.between(1, 8));
    const DeviceCase run(nRanks, seed, static_cast<std::uint32_t>(rng.between(1, 9)));
    CpuRanks ranks(run, 0);
    deliverLetters(ranks, nRanks);
    const auto blocks = static_cast<std::uint32_t>(rng.between(1, 7)),
               threads = static_cast<std::uint32_t>(rng.between(1, 5));
    for (int rank = 0; rank < nRanks; ++rank) {
      runGrid(ranks, rank, blocks, threads);
      sums += run.work(rank).sums().size();
      for (const device::PushBox& box : run.work(rank).pushes()) vectors += box.alignment == device::kPieceBytes;
    }
    for (int rank = 0; rank < nRanks; ++rank)
      ASSERT_EQ(ranks.difference(rank, run.after(rank)), "")
          << "seed " << seed << ", " << blocks << " blocks of " << threads << " threads, " << nRanks << " ranks, "
          << nameOf(run.run().operation) << ", " << toText(run.run().spec);
  }
  EXPECT_GT(sums, sweepCases() / 4);  // the draw must not dry up unnoticed
  EXPECT_GT(vectors, sweepCases() / 4);
}

TEST(DeviceSweep, EveryTileHasOneBlock) {
  for (std::uint32_t blocks = 1; blocks < 40; ++blocks)
    for (const int nRanks : {1, 2, 3, 5, 8, 64})
      for (int peer = 0; peer < nRanks; ++peer)
        for (const std::uint32_t tiles : {0u, 1u, 7u, 1000u, 4'000'000'000u}) {
          std::vector<device::Slab> slabs(blocks);
          for (std::uint32_t block = 0; block < blocks; ++block) {
            const std::uint32_t slot = device::slotOf(block, peer, blocks, nRanks);
            slabs.at(slot) = device::slabOf(tiles, slot, blocks);
          }
          std::uint32_t next = 0;
          for (const device::Slab& slab : slabs) {
            ASSERT_EQ(slab.begin, next);
            next = slab.end;
          }
          ASSERT_EQ(next, tiles);
        }
}

TEST(DeviceSweep, EveryBlockVisitsEveryPeer) {
  for (const int nRanks : {1, 2, 3, 8})
    for (int rank = 0; rank < nRanks; ++rank)
      for (std::uint32_t block = 0; block < 20; ++block) {
        std::uint64_t seen = 0;
        for (int step = 0; step < nRanks; ++step) seen |= 1u << device::peerAt(rank, block, step, nRanks);
        EXPECT_EQ(seen, (std::uint64_t{1} << nRanks) - 1);
      }
}

TEST(Divisor, IsDivision) {
  Rng rng(5);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto divisor = static_cast<std::uint32_t>(rng.between(1, (std::int64_t{1} << rng.between(1, 31)) - 1));
    const auto number = static_cast<std::uint32_t>(rng.between(0, (std::int64_t{1} << rng.between(1, 31)) - 1));
    const auto [quotient, remainder] = device::Divisor(divisor).split(number);
    ASSERT_EQ(quotient, number / divisor) << number << " / " << divisor;
    ASSERT_EQ(remainder, number % divisor) << number << " / " << divisor;
  }
}

}  // namespace
}  // namespace ulysses::test
