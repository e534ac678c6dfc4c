// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which copies engines are given, and whether they are given any, without threads: copies and own shares against the
// index map of the specification. Acceptance: ULYSSES_TEST_CASES=20000.
#include "path/cuda/copy_choice.h"

#include <gtest/gtest.h>

#include "cpu_machine.h"
#include "cpu_ranks.h"
#include "device_ranks.h"
#include "kernels/device/push.h"

namespace ulysses::test {
namespace {

constexpr std::uint32_t kTile = 4;

/// The bytes that a copy touches, of its source or its destination, as an interval.
bool isWithin(std::int64_t begin, std::int64_t reach, std::int64_t end) { return begin >= 0 && begin + reach <= end; }

/// What a rank's launches and copies move, one after the other.
void moveAll(const DeviceCase& run, CpuRanks& ranks, int rank, const CopyChoice& choice) {
  device::Arguments& call = ranks.call(rank);
  call.phase = device::Phase::kMeetAndPushOwn;
  device::push(call, SerialMachine{0, 1, 0, 1}, ranks.board(rank));
  for (const PeerCopy& copy : choice.copies) {
    const auto t = static_cast<std::size_t>(copy.tensor);
    const std::int64_t from = run.offsetOf(rank, t, true) + copy.source,
                       to = run.offsetOf(rank, t, false) + copy.destination;  // the peer's is at the same offset
    ASSERT_TRUE(isWithin(from, copy.shape.reach(copy.shape.source), std::ssize(ranks.arena(rank))));
    ASSERT_TRUE(isWithin(to, copy.shape.reach(copy.shape.destination), std::ssize(ranks.arena(copy.peer))));
    copyPitched(ranks.arena(copy.peer).data() + to, ranks.arena(rank).data() + from, copy.shape);
  }
}

/// Whether a rank's kernel would find of its peers what its copies assume.
void expectAssumed(CpuRanks& ranks, int nRanks, const CopyChoice& choice) {
  const auto nTensors = static_cast<std::size_t>(ranks.call(0).nTensors);
  ASSERT_EQ(choice.assumed.size(), nTensors * static_cast<std::size_t>(nRanks));
  for (int peer = 0; peer < nRanks; ++peer)
    for (std::size_t t = 0; t < nTensors; ++t)
      for (std::size_t i = 0; i < 4; ++i)
        ASSERT_EQ(choice.assumed[static_cast<std::size_t>(peer) * nTensors + t].bytes[i],
                  ranks.call(peer).letter.tensors[t].strides[i]);
}

struct Counts {
  std::uint64_t exchanges = 0, flat = 0, rows = 0, slices = 0, split = 0;

  void add(const CopyChoice& choice) {
    ++exchanges;
    for (const PeerCopy& copy : choice.copies) ++(copy.shape.depth > 1 ? slices : copy.shape.height > 1 ? rows : flat);
    for (std::size_t i = 1; i < choice.copies.size(); ++i)
      split +=
          choice.copies[i].peer == choice.copies[i - 1].peer && choice.copies[i].tensor == choice.copies[i - 1].tensor;
  }
};

void runCase(int nRanks, std::uint64_t seed, Counts& counts) {
  const DeviceCase run(nRanks, seed, kTile, DeviceCase::Layouts::Windows);
  CpuRanks ranks(run, 0);
  deliverLetters(ranks, nRanks);
  std::vector<CopyChoice> choices;
  for (int rank = 0; rank < nRanks; ++rank) choices.push_back(copiesOf(run, rank));
  for (int rank = 0; rank < nRanks; ++rank) {
    ASSERT_EQ(choices[static_cast<std::size_t>(rank)].reason, choices[0].reason);
    const auto limited = [&](int each) {
      return chooseCopies(run.plan(each), [&](int peer) { return run.run().tensorsOf(peer); },
                          {.mostCopies = 6, .leastBytes = 32});
    };
    ASSERT_EQ(limited(rank).reason, limited(0).reason);
  }
  if (!choices[0].reason.empty()) return;
  for (int rank = 0; rank < nRanks; ++rank) {
    const CopyChoice& choice = choices[static_cast<std::size_t>(rank)];
    counts.add(choice);
    expectAssumed(ranks, nRanks, choice);
    moveAll(run, ranks, rank, choice);
  }
  for (int rank = 0; rank < nRanks; ++rank)
    ASSERT_EQ(ranks.difference(rank, run.after(rank)), "")
        << nameOf(run.run().operation) << ", " << toText(run.run().spec);
}

TEST(CopyChoice, CopiesAndOwnSharesMoveTheIndexMap) {
  Counts counts;
  for (std::uint64_t seed = 0; seed < sweepCases() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    runCase(static_cast<int>(Rng(seed, 5, 5).between(2, 8)), seed, counts);
  }
  // The draw must not dry up unnoticed.
  EXPECT_GT(counts.exchanges, sweepCases());
  EXPECT_GT(counts.flat, sweepCases());
  EXPECT_GT(counts.rows, sweepCases());
  EXPECT_GT(counts.slices, sweepCases());
  EXPECT_GT(counts.split, sweepCases());
}

Copy copyOf(std::array<std::int64_t, 4> n, std::array<std::int64_t, 4> source,
            std::array<std::int64_t, 4> destination) {
  return {.n = n, .srcStride = source, .dstStride = destination, .runBytes = 16};
}

TEST(PitchedCopies, TakeTheTwoLoopsThatLeaveTheFewestCopies) {
  // 1000 is not a whole number of the others, so the loop of 3 is left.
  const PitchedCopies copies(copyOf({3, 5, 4, 1}, {1000, 160, 32, 0}, {6400, 1280, 320, 0}));
  EXPECT_EQ(copies.count(), 3);
  EXPECT_EQ(copies.shape().height, 4);
  EXPECT_EQ(copies.shape().depth, 5);
  EXPECT_EQ(copies.shape().source.pitch, 32);
  EXPECT_EQ(copies.shape().source.rows, 5);
  EXPECT_EQ(copies.shape().destination.pitch, 320);
  EXPECT_EQ(copies.shape().destination.rows, 4);
}

TEST(PitchedCopies, OfATranspositionTakeTheLongerLoop) {
  const PitchedCopies copies(copyOf({1, 1, 4, 6}, {0, 0, 16, 64}, {0, 0, 96, 16}));
  EXPECT_EQ(copies.count(), 4);
  EXPECT_EQ(copies.shape().height, 6);
  EXPECT_EQ(copies.shape().depth, 1);
}

TEST(PitchedCopies, RepeatedAndBackwardRowsAreCopiedOneByOne) {
  EXPECT_EQ(PitchedCopies(copyOf({1, 1, 1, 7}, {0, 0, 0, 0}, {0, 0, 0, 16})).count(), 7);
  EXPECT_EQ(PitchedCopies(copyOf({1, 1, 1, 7}, {0, 0, 0, -16}, {0, 0, 0, 16})).count(), 7);
  const std::int64_t far = std::int64_t{1} << 31;  // beyond what engines can step
  EXPECT_EQ(PitchedCopies(copyOf({1, 1, 1, 7}, {0, 0, 0, far}, {0, 0, 0, 16})).count(), 7);
}

}  // namespace
}  // namespace ulysses::test
