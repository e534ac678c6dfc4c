// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Overlap of shards in memory, against every address of small ones.
#include <gtest/gtest.h>

#include <set>

#include "plan_case.h"

namespace ulysses::test {
namespace {

struct Tensor {
  Shape shape;
  Strides strides;
  std::int64_t elementBytes = 1;

  std::multiset<std::int64_t> bytes(std::int64_t from = 0) const {
    std::multiset<std::int64_t> all;
    for (const std::int64_t row : rowsOf(shape, strides, elementBytes))
      for (std::int64_t i = 0; i < shape.headDim * elementBytes; ++i) all.insert(from + row + i);
    return all;
  }
};

bool meet(const Tensor& a, const Tensor& b, std::int64_t distance) {
  const auto mine = a.bytes(), theirs = b.bytes(distance);
  for (const std::int64_t at : mine)
    if (theirs.contains(at)) return true;
  return false;
}

bool mayMeet(const Tensor& a, const Tensor& b, std::int64_t distance) {
  return mayOverlap(a.shape, a.strides, a.elementBytes, b.shape, b.strides, b.elementBytes, distance);
}

bool repeats(const Tensor& tensor) {
  const auto all = tensor.bytes();
  for (auto at = all.begin(); at != all.end(); ++at)
    if (all.count(*at) > 1) return true;
  return false;
}

Tensor drawTensor(Rng& rng) {
  return {.shape = {rng.between(0, 3), rng.between(1, 2), rng.between(1, 3), rng.between(1, 2), rng.between(1, 3)},
          .strides = {rng.between(-24, 24), rng.between(-24, 24), rng.between(-9, 9), rng.between(-4, 4)},
          .elementBytes = rng.pick<std::int64_t>({1, 2, 4})};
}

TEST(MayOverlap, NeverDeniesAnOverlap) {
  Rng rng(1);
  int apart = 0;
  for (int round = 0; round < 20000; ++round) {
    const Tensor a = drawTensor(rng), b = drawTensor(rng);
    const std::int64_t distance = rng.between(-150, 150);
    if (mayMeet(a, b, distance)) continue;
    ASSERT_FALSE(meet(a, b, distance)) << "round " << round;
    ++apart;
  }
  EXPECT_GT(apart, 1000);  // always saying "maybe" would pass otherwise
}

// The same with strides in common, where the answer is worked out and not guessed.
TEST(MayOverlap, IsExactForBlocksOnACommonStride) {
  Rng rng(2);
  int apart = 0, touching = 0;
  for (int round = 0; round < 10000; ++round) {
    const std::int64_t stride = rng.between(1, 12);
    const auto draw = [&] {
      return Tensor{.shape = {rng.between(2, 5), 1, 1, 1, rng.between(1, stride)},
                    .strides = {rng.chance(20) ? -stride : stride, 99, -7, 0},
                    .elementBytes = 2};
    };
    const Tensor a = draw(), b = draw();
    const std::int64_t distance = rng.between(-100, 100);
    const bool really = meet(a, b, distance);
    ASSERT_EQ(mayMeet(a, b, distance), really) << "round " << round;
    ++(really ? touching : apart);
  }
  EXPECT_GT(apart, 1000);
  EXPECT_GT(touching, 1000);
}

// Q, K and V as slices of one [S, B, 3, H, D] buffer.
TEST(MayOverlap, SlicesOfAFusedProjectionAreApart) {
  constexpr std::int64_t kBatch = 2, kHeads = 4, kDim = 3, kSlice = kHeads * kDim, kRow = 3 * kSlice;
  const Tensor slice{
      .shape = {5, kBatch, kHeads, 1, kDim}, .strides = {kBatch * kRow, kRow, kDim, 0}, .elementBytes = 2};
  for (std::int64_t a = 0; a < 3; ++a)
    for (std::int64_t b = 0; b < 3; ++b)
      EXPECT_EQ(mayMeet(slice, slice, (b - a) * kSlice * 2), a == b) << a << " and " << b;
  EXPECT_TRUE(mayMeet(slice, slice, kSlice * 2 - 1));
  EXPECT_TRUE(mayMeet(slice, slice, kRow * 2));
}

// Query heads and the KV head of Megatron's [S, Hkv, g + 2, D].
TEST(MayOverlap, MegatronInterleaveIsApart) {
  constexpr std::int64_t kGroups = 3, kGroupSize = 4, kDim = 2, kGroup = (kGroupSize + 2) * kDim;
  const Tensor query{.shape = {5, 1, kGroups, kGroupSize, kDim}, .strides = {kGroups * kGroup, 0, kGroup, kDim}};
  const Tensor kv{.shape = {5, 1, kGroups, 1, kDim}, .strides = {kGroups * kGroup, 0, kGroup, kDim}};
  EXPECT_FALSE(mayMeet(query, kv, kGroupSize * kDim));
  EXPECT_FALSE(mayMeet(query, kv, (kGroupSize + 1) * kDim));
  EXPECT_FALSE(mayMeet(kv, kv, kDim));
  EXPECT_TRUE(mayMeet(query, kv, (kGroupSize - 1) * kDim));
  EXPECT_TRUE(mayMeet(query, kv, kGroup));
}

TEST(OverlapsItself, NeverDeniesARepeat) {
  Rng rng(3);
  int apart = 0;
  for (int round = 0; round < 20000; ++round) {
    const Tensor tensor = drawTensor(rng);
    if (overlapsItself(tensor.shape, tensor.strides)) continue;
    ASSERT_FALSE(repeats(tensor)) << "round " << round;
    ++apart;
  }
  EXPECT_GT(apart, 500);
}

TEST(OverlapsItself, LetsNestedLayoutsPass) {
  const Shape shape{5, 3, 2, 4, 16};
  for (const auto layout : {sbhd, bshd, bhsd}) EXPECT_FALSE(overlapsItself(shape, layout(shape)));
  EXPECT_FALSE(overlapsItself(shape, {-384, 128, 64, 16}));
  EXPECT_FALSE(overlapsItself(shape, {500, 160, 80, 17}));
  EXPECT_FALSE(overlapsItself({5, 1, 2, 1, 16}, {32, 0, 16, 0}));  // extent 1: any stride
  EXPECT_FALSE(overlapsItself({0, 3, 2, 4, 16}, {0, 0, 0, 0}));
  EXPECT_TRUE(overlapsItself(shape, {384, 0, 64, 16}));
  EXPECT_TRUE(overlapsItself(shape, {384, 128, 64, 15}));
  EXPECT_TRUE(overlapsItself(shape, {383, 128, 64, 16}));
}

}  // namespace
}  // namespace ulysses::test
