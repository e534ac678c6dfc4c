// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which tokens each rank holds: tables worked out by hand, and the texts of what cannot be.
#include "plan/token_split.h"

#include <gtest/gtest.h>

#include "error_of.h"

namespace ulysses::test {
namespace {

using Counts = std::vector<std::int64_t>;
using Runs = std::vector<std::vector<std::int64_t>>;  // {local, global, count} each

struct Tokens {
  std::int64_t sequence;
  int nRanks;
  SequenceOrder order = SequenceOrder::Contiguous;
  Counts tokens = {}, cuSeqlens = {};

  TokenSplit split() const {
    Geometry geometry;
    geometry.nRanks = nRanks;
    geometry.sequence = sequence;
    geometry.order = order;
    geometry.tokens = tokens;
    geometry.cuSeqlens = cuSeqlens;
    return splitTokens(geometry);
  }
  std::string error() const {
    return errorOf([&] { split(); });
  }
};

Runs runsOf(const TokenSplit& split, int rank) {
  Runs runs;
  for (const TokenRun& run : split.of(rank)) runs.push_back({run.local, run.global, run.count});
  return runs;
}

constexpr auto kZigzag = SequenceOrder::Zigzag;

TEST(TokenSplit, EqualParts) {
  const TokenSplit split = Tokens{12, 3}.split();
  EXPECT_EQ(split.tokens, (Counts{4, 4, 4}));
  EXPECT_EQ(runsOf(split, 0), (Runs{{0, 0, 4}}));
  EXPECT_EQ(runsOf(split, 2), (Runs{{0, 8, 4}}));
}

TEST(TokenSplit, NoTokensAtAll) {
  const TokenSplit split = Tokens{0, 2}.split();
  EXPECT_EQ(split.tokens, (Counts{0, 0}));
  EXPECT_TRUE(split.runs.empty());
}

TEST(TokenSplit, UnevenPartsWithAnEmptyRank) {
  const TokenSplit split = Tokens{12, 3, SequenceOrder::Contiguous, {7, 0, 5}}.split();
  EXPECT_EQ(split.tokens, (Counts{7, 0, 5}));
  EXPECT_EQ(runsOf(split, 1), Runs{});
  EXPECT_EQ(runsOf(split, 2), (Runs{{0, 7, 5}}));
}

TEST(TokenSplit, ZigzagPairsTheOuterChunks) {
  const TokenSplit split = Tokens{8, 2, kZigzag}.split();  // chunks 01 23 45 67
  EXPECT_EQ(runsOf(split, 0), (Runs{{0, 0, 2}, {2, 6, 2}}));
  EXPECT_EQ(runsOf(split, 1), (Runs{{0, 2, 4}}));  // its two chunks touch
  EXPECT_EQ(runsOf(Tokens{6, 1, kZigzag}.split(), 0), (Runs{{0, 0, 6}}));
}

TEST(TokenSplit, ZigzagOfALengthThatDoesNotDivide) {
  const TokenSplit split = Tokens{10, 2, kZigzag}.split();  // chunks of 3 3 2 2
  EXPECT_EQ(split.tokens, (Counts{5, 5}));
  EXPECT_EQ(runsOf(split, 0), (Runs{{0, 0, 3}, {3, 8, 2}}));
  EXPECT_EQ(runsOf(split, 1), (Runs{{0, 3, 5}}));
  EXPECT_EQ((Tokens{2, 2, kZigzag}.split().tokens), (Counts{1, 1}));  // chunks of 1 1 0 0
}

TEST(TokenSplit, ZigzagOfEachPackedSequence) {
  // Sequence 0..3 in chunks 0 1 2 3; 4..9 in chunks 45 67 8 9. Rank 0's runs 3 and 45 touch.
  const TokenSplit split = Tokens{10, 2, kZigzag, {}, {0, 4, 10}}.split();
  EXPECT_EQ(runsOf(split, 0), (Runs{{0, 0, 1}, {1, 3, 3}, {4, 9, 1}}));
  EXPECT_EQ(runsOf(split, 1), (Runs{{0, 1, 2}, {2, 6, 3}}));
}

TEST(TokenSplit, ContiguousDoesNotLookAtPackedSequences) {
  EXPECT_EQ(runsOf(Tokens{10, 2, SequenceOrder::Contiguous, {}, {0, 4, 10}}.split(), 1), (Runs{{0, 5, 5}}));
}

TEST(TokenSplitError, Counts) {
  EXPECT_EQ((Tokens{10, 3}.error()),
            "InvalidArgument: sequence=10 is not a multiple of 3 ranks; pass the tokens of every rank, or pad to 12");
  EXPECT_EQ((Tokens{12, 3, SequenceOrder::Contiguous, {5, 5, 1}}.error()),
            "InvalidArgument: tokens: the counts add up to 11, want sequence=12");
  EXPECT_EQ((Tokens{12, 3, SequenceOrder::Contiguous, {5, 8, 0}}.error()),
            "InvalidArgument: tokens[1]=8: want 0..7 (sequence=12, 5 at lower ranks)");
  EXPECT_EQ((Tokens{12, 2, SequenceOrder::Contiguous, {-1, 13}}.error()),
            "InvalidArgument: tokens[0]=-1: want 0..12 (sequence=12, 0 at lower ranks)");
}

TEST(TokenSplitError, Zigzag) {
  EXPECT_EQ((Tokens{8, 2, kZigzag, {5, 3}}.error()),
            "InvalidArgument: tokens[0]=5: the zigzag order gives rank 0 4 tokens of sequence=8");
  EXPECT_EQ((Tokens{8, 2, kZigzag, {4, 4}}.error()), "");
}

TEST(TokenSplitError, CuSeqlens) {
  const auto error = [](Counts cuSeqlens) { return Tokens{8, 2, kZigzag, {}, std::move(cuSeqlens)}.error(); };
  EXPECT_EQ(error({0, 3, 3, 8}), "");
  EXPECT_EQ(error({0}), "InvalidArgument: cuSeqlens: want nSequences + 1 >= 2 entries, got 1");
  EXPECT_EQ(error({1, 8}), "InvalidArgument: cuSeqlens[0]=1: want 0");
  EXPECT_EQ(error({0, 7}), "InvalidArgument: cuSeqlens[1]=7: want sequence=8");
  EXPECT_EQ(error({0, 5, 3, 8}), "InvalidArgument: cuSeqlens[2]=3: want at least cuSeqlens[1]=5");
}

}  // namespace
}  // namespace ulysses::test
