// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernels' index arithmetic over whole grids, without GPU and without threads: every thread of every block, one
// after the other, against the index map of the specification. Acceptance: ULYSSES_TEST_CASES=20000.
#include <gtest/gtest.h>

#include "cpu_machine.h"
#include "cpu_ranks.h"
#include "kernel/kernel_fixture.h"
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

/// A box whose rows end where its memory does, in both places.
struct FencedBox {
  explicit FencedBox(Rng& rng)
      : unit(rng.pick<std::int64_t>({1, 2, 4, 8, 16, 16, 16, 16})),
        rowBytes(unit * rng.between(1, 80)),
        counts{rng.between(1, 9), rng.between(1, 3), rng.between(1, 3), rng.between(1, 12)} {
    const auto divisor = [&](std::size_t i) { return device::Divisor(static_cast<std::uint32_t>(counts[i])); };
    const auto perRow = static_cast<std::uint32_t>((rowBytes + device::kPieceBytes - 1) / device::kPieceBytes);
    rows = {.piecesPerRow = device::Divisor(perRow),
            .heads = divisor(3),
            .groups = divisor(2),
            .batch = divisor(1),
            .rowBytes = static_cast<std::uint32_t>(rowBytes),
            .pieces = perRow * static_cast<std::uint32_t>(counts[0] * counts[1] * counts[2] * counts[3])};
    std::int64_t next = rowBytes;
    for (const std::size_t i : {0u, 1u, 2u, 3u}) next = counts[i] * (from[i] = next + unit * rng.between(0, 2));
    sourceBytes = endOf(from);
    next = rowBytes;
    for (const std::size_t i : {3u, 2u, 1u, 0u}) next = counts[i] * (to[i] = next + unit * rng.between(0, 2));
    targetBytes = endOf(to);
  }
  std::int64_t endOf(const std::int64_t (&strides)[4]) const {
    std::int64_t end = rowBytes;
    for (std::size_t i = 0; i < 4; ++i) end += (counts[i] - 1) * strides[i];
    return end;
  }
  /// Calls fn(source offset, destination offset) for each row.
  template <typename Fn>
  void forEachRow(Fn&& fn) const {
    for (std::int64_t row = 0; row < counts[0] * counts[1] * counts[2] * counts[3]; ++row) {
      std::int64_t left = row, source = 0, target = 0;
      for (const std::size_t i : {3u, 2u, 1u, 0u}) {
        source += left % counts[i] * from[i];
        target += left % counts[i] * to[i];
        left /= counts[i];
      }
      fn(source, target);
    }
  }

  std::int64_t unit, rowBytes, counts[4];
  device::Rows rows;
  std::int64_t from[4], to[4], sourceBytes, targetBytes;
};

/// Blocks as large as a GPU's and smaller, tiles that their pieces do not divide: nothing behind the end is touched.
TEST(DeviceSweep, TilesThatEndEarlyStayInTheirMemory) {
  std::uint64_t early = 0;
  for (std::uint64_t seed = 0; seed < std::min<std::uint64_t>(sweepCases(), 1000); ++seed) {
    Rng rng(seed, 4, 4);
    const FencedBox box(rng);
    const kernels::test::Fenced source(box.sourceBytes), target(box.targetBytes);
    std::byte* const from = source.end() - box.sourceBytes;
    std::byte* const to = target.end() - box.targetBytes;
    for (std::byte* at = from; at < source.end(); ++at) *at = static_cast<std::byte>(rng.next());
    Bytes expected(to, target.end());
    box.forEachRow([&](std::int64_t sourceOffset, std::int64_t targetOffset) {
      std::memcpy(expected.data() + targetOffset, from + sourceOffset, static_cast<std::size_t>(box.rowBytes));
    });
    const auto threads = rng.pick<std::uint32_t>({1, 3, 32, 256});
    const auto tile = static_cast<std::uint32_t>(rng.between(1, 2 * device::kInFlight * threads));
    for (std::uint32_t first = 0; first < box.rows.pieces; first += tile) {
      const std::uint32_t end = std::min(first + tile, box.rows.pieces);
      early += box.unit == device::kPieceBytes && (end - first) % (device::kInFlight * threads) != 0;
      for (std::uint32_t thread = 0; thread < threads; ++thread)
        device::copyPieces(SerialMachine{0, 1, thread, threads}, box.rows, first, end, {from, box.from}, {to, box.to},
                           static_cast<std::uint64_t>(box.unit));
    }
    ASSERT_EQ(Bytes(to, target.end()), expected) << "seed " << seed << ", " << threads << " threads, tile " << tile;
  }
  EXPECT_GT(early, 100u);
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
