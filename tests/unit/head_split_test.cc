// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which heads each rank holds: tables worked out by hand from the rules, and the texts of what cannot be.
#include "plan/head_split.h"

#include <gtest/gtest.h>

#include "error_of.h"
#include "plan/distribution.h"

namespace ulysses::test {
namespace {

using Ranges = std::vector<Range>;

struct Heads {
  std::int64_t heads, kvHeads;
  int nRanks;
  std::vector<std::int64_t> explicitHeads = {};

  Geometry geometry() const {
    Geometry geometry;
    geometry.nRanks = nRanks;
    geometry.heads = heads;
    geometry.kvHeads = kvHeads;
    geometry.queryHeads = explicitHeads;
    return geometry;
  }
  HeadSplit split() const { return splitHeads(geometry()); }
  std::string error() const {
    return errorOf([&] { split(); });
  }
};

TEST(HeadSplit, DealsKvHeadsInBlocks) {
  // DeepSpeed's rule: the first Hkv % P ranks get one more; query heads follow their group.
  EXPECT_EQ((Heads{30, 30, 4}.split().query), (Ranges{{0, 8}, {8, 8}, {16, 7}, {23, 7}}));
  EXPECT_EQ((Heads{30, 30, 4}.split().kv), (Ranges{{0, 8}, {8, 8}, {16, 7}, {23, 7}}));
  EXPECT_EQ((Heads{20, 5, 2}.split().kv), (Ranges{{0, 3}, {3, 2}}));
  EXPECT_EQ((Heads{20, 5, 2}.split().query), (Ranges{{0, 12}, {12, 8}}));
  EXPECT_EQ((Heads{8, 4, 4}.split().kv), (Ranges{{0, 1}, {1, 1}, {2, 1}, {3, 1}}));
}

TEST(HeadSplit, SharesKvHeadsInRepeatInterleaveOrder) {
  EXPECT_EQ((Heads{8, 2, 4}.split().kv), (Ranges{{0, 1}, {0, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ((Heads{8, 2, 4}.split().query), (Ranges{{0, 2}, {2, 2}, {4, 2}, {6, 2}}));
  EXPECT_EQ((Heads{4, 1, 3}.split().query), (Ranges{{0, 2}, {2, 1}, {3, 1}}));  // MQA
}

TEST(HeadSplit, SharesOneRankMoreOfTheFirstKvHeadsWhenThatDoesNotDivide) {
  EXPECT_EQ((Heads{8, 2, 5}.split().kv), (Ranges{{0, 1}, {0, 1}, {0, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ((Heads{8, 2, 5}.split().query), (Ranges{{0, 2}, {2, 1}, {3, 1}, {4, 2}, {6, 2}}));
}

TEST(HeadSplit, ExplicitHeadsWithRanksThatHaveNone) {
  const HeadSplit split = Heads{8, 2, 4, {2, 0, 2, 4}}.split();
  EXPECT_EQ(split.query, (Ranges{{0, 2}, {2, 0}, {2, 2}, {4, 4}}));
  EXPECT_EQ(split.kv[0], (Range{0, 1}));
  EXPECT_EQ(split.kv[1].count, 0);
  EXPECT_EQ(split.kv[2], (Range{0, 1}));
  EXPECT_EQ(split.kv[3], (Range{1, 1}));
  EXPECT_EQ(split.firstSharedKvHead(), 0);
  EXPECT_EQ(split.holderCount(0), 2);
  EXPECT_EQ(split.firstHolder(0), 0);
  EXPECT_EQ(split.holderCount(1), 1);
  EXPECT_EQ(split.firstHolder(1), 3);
  EXPECT_EQ(split.localGroupSize(0), 2);
  EXPECT_EQ(split.localGroupSize(1), 1);
  EXPECT_EQ(split.localGroupSize(3), 4);
}

TEST(HeadSplit, HoldersAreFoundPastEmptyRanks) {
  const HeadSplit split = Heads{8, 2, 5, {0, 4, 0, 0, 4}}.split();
  EXPECT_EQ(split.firstSharedKvHead(), -1);
  EXPECT_EQ(split.firstHolder(0), 1);
  EXPECT_EQ(split.firstHolder(1), 4);
  EXPECT_EQ(split.holderCount(0), 1);
  EXPECT_EQ(split.holderCount(1), 1);
}

TEST(HeadSplit, EqualPartsOfTwoNeighbours) {
  const HeadSplit split = Heads{8, 2, 3, {2, 4, 2}}.split();
  EXPECT_EQ(split.kv, (Ranges{{0, 1}, {0, 2}, {1, 1}}));
  EXPECT_EQ(split.localGroupSize(1), 2);
  EXPECT_EQ(split.holderCount(0), 2);
  EXPECT_EQ(split.holderCount(1), 2);
  EXPECT_EQ((Heads{8, 2, 3, {1, 6, 1}}.split().localGroupSize(1)), 3);
}

TEST(HeadSplit, ImbalanceIsLargestOverIdeal) {
  EXPECT_DOUBLE_EQ((Heads{30, 30, 4}.split().imbalance()), 8 / 7.5);
  EXPECT_DOUBLE_EQ((Heads{8, 2, 4}.split().imbalance()), 1);
  EXPECT_DOUBLE_EQ((Heads{8, 2, 2, {0, 8}}.split().imbalance()), 2);
}

TEST(HeadSplitError, RankWithoutQueryHead) {
  EXPECT_EQ((Heads{2, 1, 3}.error()),
            "InvalidArgument: heads=2 kvHeads=1 over 3 ranks: KV head 0 would be shared by ranks 0..2 but has only 2 "
            "query heads, so a rank would hold none; use at most 2 ranks, or say queryHeads (0 is allowed there)");
}

TEST(HeadSplitError, RatioThatIsNotUniform) {
  EXPECT_EQ((Heads{8, 2, 2, {6, 2}}.error()),
            "InvalidArgument: queryHeads[0]=6: heads 0..5 of rank 0 take 4 of KV head 0 and 2 of KV head 1 (4 query "
            "heads per KV head); each rank needs as many of every KV head it holds, for example a multiple of 4");
  // As many of the first as of the last, but whole groups between.
  EXPECT_NE((Heads{8, 4, 3, {1, 6, 1}}.error().find("queryHeads[1]=6")), std::string::npos);
}

TEST(HeadSplitError, CountsThatDoNotAddUp) {
  EXPECT_EQ((Heads{8, 2, 2, {4, 0}}.error()), "InvalidArgument: queryHeads: the counts add up to 4, want heads=8");
  EXPECT_EQ((Heads{8, 2, 2, {4, 5}}.error()),
            "InvalidArgument: queryHeads[1]=5: want 0..4 (heads=8, 4 taken by lower ranks)");
  EXPECT_EQ((Heads{8, 2, 2, {-1, 9}}.error()),
            "InvalidArgument: queryHeads[0]=-1: want 0..8 (heads=8, 0 taken by lower ranks)");
}

TEST(Distribution, ChecksTheScalars) {
  const auto error = [](auto change) {
    Geometry geometry = Heads{8, 2, 2}.geometry();
    change(geometry);
    return errorOf([&] { distribute(geometry); });
  };
  EXPECT_EQ(error([](Geometry&) {}), "");
  EXPECT_EQ(error([](Geometry& g) { g.nRanks = 0; }), "InvalidArgument: nRanks=0: want at least 1");
  EXPECT_EQ(error([](Geometry& g) { g.sequence = -1; }), "InvalidArgument: sequence=-1: want 0..281474976710656");
  EXPECT_EQ(error([](Geometry& g) { g.batch = -2; }), "InvalidArgument: batch=-2: want 0..281474976710656");
  EXPECT_EQ(error([](Geometry& g) { g.heads = 0; }), "InvalidArgument: heads=0: want 1..4294967296");
  EXPECT_EQ(error([](Geometry& g) { g.kvHeads = 3; }),
            "InvalidArgument: kvHeads=3: want a divisor of heads=8 (0 in the public struct means heads)");
  const std::int64_t three[] = {1, 2, 3};
  EXPECT_EQ(error([&](Geometry& g) { g.queryHeads = three; }), "InvalidArgument: queryHeads: 3 entries for 2 ranks");
  EXPECT_EQ(error([&](Geometry& g) { g.tokens = three; }), "InvalidArgument: tokens: 3 entries for 2 ranks");
}

}  // namespace
}  // namespace ulysses::test
