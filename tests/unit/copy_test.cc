// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Copies, coalescing and strips: the same bytes as the plain views, in as few runs as the layouts allow.
#include "plan/copy.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "plan_case.h"

namespace ulysses::test {
namespace {

/// Dimensions that are often, not always, contiguous with the inner ones, in any order.
View drawView(Rng& rng, const std::array<std::int64_t, View::kDims>& n, std::int64_t runBytes) {
  View view{.offset = rng.between(-50, 50), .n = n, .stride = {}, .runBytes = runBytes};
  std::array<std::size_t, View::kDims> order{3, 2, 1, 0};
  if (rng.chance(40)) std::swap(order[0], order[static_cast<std::size_t>(rng.between(1, 3))]);
  std::int64_t next = runBytes;
  for (const std::size_t dim : order) {
    const std::int64_t stride = next + (rng.chance(25) ? rng.between(1, 5) : 0);
    next = stride * n[dim];
    view.stride[dim] = rng.chance(10) ? -stride : stride;
    if (n[dim] == 1) view.stride[dim] = rng.between(-9, 9);
  }
  return view;
}

std::array<std::int64_t, View::kDims> drawExtents(Rng& rng) {
  return {rng.between(1, 4), rng.between(1, 3), rng.between(1, 3), rng.between(1, 4)};
}

std::vector<std::int64_t> bytesOf(const View& view) {
  std::vector<std::int64_t> bytes;
  for (const std::int64_t row : rowsOf(view))
    for (std::int64_t i = 0; i < view.runBytes; ++i) bytes.push_back(row + i);
  return bytes;
}

std::vector<std::int64_t> bytesOfStrips(const View& view, std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> all;
  forEachStrip(view, begin, end, [&](std::int64_t offset, std::int64_t stride, std::int64_t rows, std::int64_t bytes) {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < bytes; ++i) all.push_back(offset + row * stride + i);
  });
  return all;
}

TEST(Copy, CoversThePairsOfTheViews) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    const auto n = drawExtents(rng);
    const std::int64_t runBytes = rng.between(1, 4);
    const View src = drawView(rng, n, runBytes), dst = drawView(rng, n, runBytes);
    RowPairs wanted, got;
    const auto from = bytesOf(src), to = bytesOf(dst);
    for (std::size_t i = 0; i < from.size(); ++i) wanted.emplace_back(from[i], to[i]);
    const Copy copy = makeCopy(5, src, dst);
    forEachRowBlock(copy, [&](std::int64_t s, std::int64_t d) {
      for (std::int64_t row = 0; row < copy.n[3]; ++row)
        for (std::int64_t i = 0; i < copy.runBytes; ++i)
          got.emplace_back(s + row * copy.srcStride[3] + i, d + row * copy.dstStride[3] + i);
    });
    std::sort(wanted.begin(), wanted.end());
    std::sort(got.begin(), got.end());
    ASSERT_EQ(got, wanted) << "round " << round;
    EXPECT_EQ(copy.bytes(), src.bytes());
    EXPECT_EQ(copy.tensor, 5);
  }
}

TEST(Coalesce, KeepsTheByteSequence) {
  Rng rng(8);
  bool joined = false;
  for (int round = 0; round < 2000; ++round) {
    const View view = drawView(rng, drawExtents(rng), rng.between(1, 4));
    const View fewer = coalesce(view);
    ASSERT_EQ(bytesOf(fewer), bytesOf(view)) << "round " << round;
    joined = joined || fewer.runBytes > view.runBytes;
  }
  EXPECT_TRUE(joined);
}

TEST(Strips, AreAnyPartOfTheByteSequence) {
  Rng rng(9);
  for (int round = 0; round < 2000; ++round) {
    const View view = drawView(rng, drawExtents(rng), rng.between(1, 4));
    const auto all = bytesOf(view);
    const std::int64_t begin = rng.between(0, view.bytes()), end = rng.between(begin, view.bytes());
    const std::vector<std::int64_t> wanted(all.begin() + begin, all.begin() + end);
    ASSERT_EQ(bytesOfStrips(view, begin, end), wanted) << "round " << round;
    ASSERT_EQ(bytesOfStrips(coalesce(view), begin, end), wanted) << "round " << round;
  }
}

struct Golden {
  Geometry geometry;
  std::int64_t headDim = 4;
  TensorKind kind = TensorKind::Query;
  Operation operation = Operation::ScatterHeads;
  Strides (*layout)(const Shape&) = sbhd;

  /// The copies that rank 1 (or the only one) has from rank 0.
  std::vector<Copy> copies() const {
    const int rank = geometry.nRanks > 1 ? 1 : 0;
    TensorSpec tensor{
        .type = DataType::BF16, .kind = kind, .sum = false, .headDim = headDim, .input = {}, .output = {}};
    const Distribution d = distribute(geometry);
    const bool scatter = operation == Operation::ScatterHeads;
    const Side from = scatter ? Side::SequenceShard : Side::HeadShard;
    const Side to = scatter ? Side::HeadShard : Side::SequenceShard;
    tensor.input = layout(shardShape(geometry, d, tensor, from, rank));
    tensor.output = layout(shardShape(geometry, d, tensor, to, rank));
    const Strides peer = layout(shardShape(geometry, d, tensor, from, 0));
    const Plan plan(operation, geometry, std::span(&tensor, 1), rank);
    std::vector<Copy> all(plan.receives().size());
    plan.bindSource(0, std::span(&peer, 1), all);
    return {all.begin() + plan.firstReceive(0), all.begin() + plan.firstReceive(1)};
  }
};

Geometry twoRanks() {
  Geometry geometry;
  geometry.nRanks = 2;
  geometry.sequence = 10;  // S_l = 5
  geometry.batch = 3;
  geometry.heads = 8;  // H_r = 4
  geometry.kvHeads = 2;
  return geometry;
}

using Four = std::array<std::int64_t, 4>;

TEST(GoldenCopies, SbhdForwardIsOneCopyOfRows) {
  const auto copies = Golden{.geometry = twoRanks()}.copies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].n, (Four{1, 1, 1, 5 * 3}));  // S_l * B rows
  EXPECT_EQ(copies[0].runBytes, 4 * 4 * 2);        // H_r * D * 2
  EXPECT_EQ(copies[0].srcStride[3], 8 * 4 * 2);
  EXPECT_EQ(copies[0].dstStride[3], 4 * 4 * 2);
  EXPECT_EQ(copies[0].srcOffset, 4 * 4 * 2);  // rank 1's heads
  EXPECT_EQ(copies[0].dstOffset, 0);          // rank 0's tokens
}

TEST(GoldenCopies, SbhdBackwardIsOneCopyOfRows) {
  const auto copies = Golden{.geometry = twoRanks(), .operation = Operation::GatherHeads}.copies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].n, (Four{1, 1, 1, 5 * 3}));
  EXPECT_EQ(copies[0].runBytes, 4 * 4 * 2);
  EXPECT_EQ(copies[0].srcOffset, 5 * 3 * 4 * 4 * 2);  // rank 1's tokens
  EXPECT_EQ(copies[0].dstOffset, 0);                  // rank 0's heads
}

TEST(GoldenCopies, BhsdForwardHasRunsOfTokens) {
  const auto copies = Golden{.geometry = twoRanks(), .layout = bhsd}.copies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].n, (Four{1, 1, 3, 4}));  // B, H_r
  EXPECT_EQ(copies[0].runBytes, 5 * 4 * 2);    // S_l * D * 2
}

TEST(GoldenCopies, OneRankIsOneRun) {
  Geometry geometry = twoRanks();
  geometry.nRanks = 1;
  for (const auto layout : {sbhd, bshd, bhsd})
    for (const TensorKind kind : {TensorKind::Query, TensorKind::Kv}) {
      const auto copies = Golden{.geometry = geometry, .kind = kind, .layout = layout}.copies();
      ASSERT_EQ(copies.size(), 1u);
      EXPECT_EQ(copies[0].n, (Four{1, 1, 1, 1}));
      EXPECT_EQ(copies[0].runBytes, 10 * 3 * (kind == TensorKind::Query ? 8 : 2) * 4 * 2);
    }
}

TEST(GoldenCopies, SharedKvHeadIsOneCopyOfRows) {
  Geometry geometry = twoRanks();
  geometry.kvHeads = 1;
  const auto copies = Golden{.geometry = geometry, .kind = TensorKind::Kv}.copies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].n, (Four{1, 1, 1, 1}));  // one head on both sides: rank 0's tokens are one run in both
  EXPECT_EQ(copies[0].runBytes, 5 * 3 * 4 * 2);
}

}  // namespace
}  // namespace ulysses::test
