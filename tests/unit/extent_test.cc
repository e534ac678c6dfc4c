// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Extents, layouts and orders of dimensions of a shard.
#include "plan/extent.h"

#include <gtest/gtest.h>

#include <limits>

#include "error_of.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr Shape kShape{.tokens = 5, .batch = 3, .groups = 2, .headsPerGroup = 4, .headDim = 16};

TEST(Layout, StridesOfContiguousTensors) {
  EXPECT_EQ(sbhd(kShape), (Strides{3 * 128, 128, 64, 16}));
  EXPECT_EQ(bshd(kShape), (Strides{128, 5 * 128, 64, 16}));
  EXPECT_EQ(bhsd(kShape), (Strides{16, 8 * 80, 4 * 80, 80}));
}

TEST(Extent, OfContiguousTensors) {
  for (const auto layout : {sbhd, bshd, bhsd}) {
    const Extent extent = extentOf("x", kShape, layout(kShape), 2);
    EXPECT_EQ(extent.begin, 0);
    EXPECT_EQ(extent.end, 5 * 3 * 8 * 16 * 2);
  }
}

TEST(Extent, GoesBothWays) {
  const Extent extent = extentOf("x", kShape, {-200, 60, -20, 0}, 4);
  EXPECT_EQ(extent.begin, (4 * -200 + 1 * -20) * 4);
  EXPECT_EQ(extent.end, (2 * 60 + 16) * 4);
}

TEST(Extent, OfNothingIsEmpty) {
  for (const Shape shape : {Shape{0, 3, 2, 4, 16}, Shape{5, 0, 2, 4, 16}, Shape{5, 3, 0, 4, 16}}) {
    const Extent extent = extentOf("x", shape, {1, kLowest, 1, 1}, 8);
    EXPECT_EQ(extent.begin, 0);
    EXPECT_EQ(extent.end, 0);
  }
}

TEST(Extent, ThatDoesNotFitIsRefusedWithTheNumbers) {
  const std::int64_t huge = std::int64_t{1} << 62;
  const auto error = [](const Shape& shape, const Strides& strides, std::int64_t bytes) {
    return errorOf([&] { extentOf("input", shape, strides, bytes); });
  };
  EXPECT_EQ(error({3, 1, 1, 1, 16}, {huge, 0, 0, 0}, 1),
            "InvalidArgument: input: 3 tokens x batch 1 x 1 groups x 1 heads x headDim 16 with strides "
            "(4611686018427387904, 0, 0, 0) and 1-byte elements does not fit 64 bits");
  EXPECT_NE(error({2, 1, 1, 1, 1}, {huge, 0, 0, 0}, 2), "");     // in elements it fits, in bytes not
  EXPECT_NE(error({2, 2, 1, 1, 1}, {huge, huge, 0, 0}, 1), "");  // only the sum does not
  EXPECT_NE(error({2, 1, 1, 1, 1}, {-huge, 0, 0, 0}, 4), "");
  EXPECT_NE(error({2, 1, 1, 1, 1}, {huge, 0, 0, 0}, 1), "");  // in 64 bits it fits, in memory not
  EXPECT_EQ(error({2, 1, 1, 1, 1}, {std::int64_t{1} << 55, 0, 0, 0}, 1), "");
  EXPECT_EQ(error({1, 1, 1, 1, 1}, {kLowest, kLowest, huge, huge}, 8), "");  // never stepped along
}

TEST(DimensionOrder, SlowestFirst) {
  EXPECT_EQ(dimensionOrder(kShape, sbhd(kShape)), 1234);
  EXPECT_EQ(dimensionOrder(kShape, bshd(kShape)), 2134);
  EXPECT_EQ(dimensionOrder(kShape, bhsd(kShape)), 2341);
  EXPECT_EQ(dimensionOrder(kShape, {-384, 128, -64, 16}), 1234);  // backwards is the same order
}

TEST(DimensionOrder, LeavesOutWhatStridesCannotTell) {
  const Shape oneBatch{5, 1, 2, 1, 16};
  EXPECT_EQ(dimensionOrder(oneBatch, sbhd(oneBatch)), 13);
  EXPECT_EQ(dimensionOrder(oneBatch, bhsd(oneBatch)), 31);
  EXPECT_EQ(dimensionOrder(kShape, {384, 0, 64, 16}), 134);
  EXPECT_EQ(dimensionOrder({0, 3, 2, 4, 16}, sbhd(kShape)), 0);
}

TEST(SameOrder, ComparesWhatBothCanTell) {
  EXPECT_TRUE(sameOrder(1234, 1234));
  EXPECT_FALSE(sameOrder(1234, 2134));
  EXPECT_FALSE(sameOrder(1234, 4321));
  EXPECT_TRUE(sameOrder(1234, 0));
  EXPECT_TRUE(sameOrder(1234, 24));
  EXPECT_FALSE(sameOrder(1234, 42));
  EXPECT_TRUE(sameOrder(13, 2134));
  EXPECT_FALSE(sameOrder(13, 2341));
  EXPECT_TRUE(sameOrder(12, 34));  // nothing in common
}

TEST(SameOrder, IsSymmetric) {
  for (const std::int32_t a : {0, 1, 3, 13, 31, 124, 142, 1234, 2134, 2341, 4321})
    for (const std::int32_t b : {0, 1, 3, 13, 31, 124, 142, 1234, 2134, 2341, 4321})
      EXPECT_EQ(sameOrder(a, b), sameOrder(b, a)) << a << " and " << b;
}

}  // namespace
}  // namespace ulysses::test
