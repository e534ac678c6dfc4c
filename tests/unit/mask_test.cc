// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/flash/mask.h"

#include <gtest/gtest.h>

#include <vector>

namespace ulysses::attention {
namespace {

ulyssesLocalAttention_t problemOf(int64_t tokens, bool causal, int64_t left, int64_t right) {
  ulyssesLocalAttention_t problem{};
  problem.sequence = tokens;
  problem.causal = causal;
  problem.windowLeft = left;
  problem.windowRight = right;
  return problem;
}

constexpr int64_t kAny = ULYSSES_ATTENTION_ANY;

TEST(Mask, OneToken) {
  EXPECT_EQ(Mask(problemOf(10, false, kAny, kAny)).seenBy(3), (Range{0, 10}));
  EXPECT_EQ(Mask(problemOf(10, true, kAny, kAny)).seenBy(3), (Range{0, 4}));
  EXPECT_EQ(Mask(problemOf(10, true, 2, 5)).seenBy(7), (Range{5, 8}));
  EXPECT_EQ(Mask(problemOf(10, false, 2, 1)).seenBy(7), (Range{5, 9}));
  EXPECT_EQ(Mask(problemOf(10, false, 0, 0)).seenBy(7), (Range{7, 8}));
  EXPECT_EQ(Mask(problemOf(10, false, INT64_MAX, INT64_MAX)).seenBy(7), (Range{0, 10}));
}

TEST(Mask, PackedSequences) {
  const std::vector<int64_t> cu = {2, 2, 5, 5, 8};
  auto problem = problemOf(10, false, kAny, kAny);
  problem.cuSeqlens = cu.data();
  problem.nSequences = 4;
  const Mask mask(problem);
  EXPECT_TRUE(mask.seenBy(1).empty());
  EXPECT_EQ(mask.seenBy(2), (Range{2, 5}));
  EXPECT_EQ(mask.seenBy(4), (Range{2, 5}));
  EXPECT_EQ(mask.seenBy(5), (Range{5, 8}));
  EXPECT_TRUE(mask.seenBy(8).empty());
}

/// What is said of ranges of tokens is what their tokens say, for all ranges of a few masks.
TEST(Mask, RangesAsTheirTokens) {
  const std::vector<int64_t> cu = {1, 4, 4, 9, 11};
  for (int variant = 0; variant < 32; ++variant) {
    auto problem = problemOf(12, variant & 1, variant & 2 ? 3 : kAny, variant & 4 ? 2 : kAny);
    if (variant & 8) problem.cuSeqlens = cu.data(), problem.nSequences = variant & 16 ? 4 : 3;
    const Mask mask(problem);
    for (int64_t begin = 0; begin < 12; ++begin) {
      for (int64_t end = begin + 1; end <= 12; ++end) {
        const Range tokens{begin, end}, any = mask.seenByAny(tokens);
        const auto eachSees = [&](Range others) {
          for (int64_t token = begin; token < end; ++token)
            if (!mask.seenBy(token).covers(others)) return false;
          return true;
        };
        for (int64_t token = begin; token < end; ++token)
          EXPECT_TRUE(mask.seenBy(token).empty() || any.covers(mask.seenBy(token))) << variant << " " << token;
        for (int64_t first = 0; first < 12; ++first) {
          for (int64_t last = first + 1; last <= 12; ++last)
            EXPECT_EQ(mask.allSee(tokens, {first, last}), eachSees({first, last})) << variant;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ulysses::attention
