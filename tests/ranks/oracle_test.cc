// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The oracle against cases worked out by hand, and against itself. Needs nothing of the library.
#include "support/oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "support/random_case.h"

namespace ulysses::test {

namespace {

using Counts = std::vector<std::int64_t>;

GeometrySpec heads(std::int64_t query, std::int64_t kv, Counts explicitHeads = {}) {
  GeometrySpec geometry;
  geometry.heads = query;
  geometry.kvHeads = kv;
  geometry.queryHeads = std::move(explicitHeads);
  return geometry;
}

/// A field of all ranks, or {-1} when the geometry is invalid.
Counts allRanks(const GeometrySpec& geometry, int nRanks, std::int64_t RankPart::*field) {
  const auto partition = partitionOf(geometry, nRanks);
  if (!partition) return {-1};
  Counts values;
  for (const RankPart& part : partition->ranks) values.push_back(part.*field);
  return values;
}

TEST(OraclePartition, DealsKvHeadsInBlocks) {
  EXPECT_EQ(allRanks(heads(30, 0), 4, &RankPart::queryCount), (Counts{8, 8, 7, 7}));  // DeepSpeed's example
  EXPECT_EQ(allRanks(heads(20, 5), 2, &RankPart::queryCount), (Counts{12, 8}));
  EXPECT_EQ(allRanks(heads(20, 5), 2, &RankPart::kvBegin), (Counts{0, 3}));
  EXPECT_EQ(allRanks(heads(20, 5), 2, &RankPart::kvCount), (Counts{3, 2}));
  EXPECT_EQ(allRanks(heads(20, 5), 2, &RankPart::kvReplicas), (Counts{1, 1}));
}

TEST(OraclePartition, SharesKvHeadsAmongNeighbours) {
  EXPECT_EQ(allRanks(heads(8, 2), 4, &RankPart::kvBegin), (Counts{0, 0, 1, 1}));
  EXPECT_EQ(allRanks(heads(8, 2), 4, &RankPart::queryCount), (Counts{2, 2, 2, 2}));
  EXPECT_EQ(allRanks(heads(12, 2), 5, &RankPart::kvBegin), (Counts{0, 0, 0, 1, 1}));
  EXPECT_EQ(allRanks(heads(12, 2), 5, &RankPart::queryCount), (Counts{2, 2, 2, 3, 3}));
  EXPECT_EQ(allRanks(heads(12, 2), 5, &RankPart::kvReplica), (Counts{0, 1, 2, 0, 1}));
  EXPECT_EQ(allRanks(heads(12, 2), 5, &RankPart::kvReplicas), (Counts{3, 3, 3, 2, 2}));
  EXPECT_EQ(allRanks(heads(7, 1), 3, &RankPart::queryCount), (Counts{3, 2, 2}));
  EXPECT_DOUBLE_EQ(partitionOf(heads(12, 2), 5)->imbalance, 1.25);  // 3 heads where 2.4 are ideal
}

TEST(OraclePartition, FollowsExplicitHeads) {
  const GeometrySpec spanning = heads(8, 2, {2, 0, 4, 2});  // the third rank has half of each group
  EXPECT_EQ(allRanks(spanning, 4, &RankPart::queryBegin), (Counts{0, 2, 2, 6}));
  EXPECT_EQ(allRanks(spanning, 4, &RankPart::kvCount), (Counts{1, 0, 2, 1}));
  EXPECT_EQ(allRanks(spanning, 4, &RankPart::kvReplicas)[3], 2);
  EXPECT_TRUE(partitionOf(spanning, 4)->kvShared);
  EXPECT_FALSE(partitionOf(heads(8, 2, {4, 0, 0, 4}), 4)->kvShared);
}

TEST(OraclePartition, RefusesWhatCannotBe) {
  const Counts invalid = {-1};
  EXPECT_EQ(allRanks(heads(3, 0), 4, &RankPart::queryCount), invalid);          // a rank without a head
  EXPECT_EQ(allRanks(heads(4, 2), 5, &RankPart::queryCount), invalid);          // 2 heads over 3 ranks
  EXPECT_EQ(allRanks(heads(8, 3), 2, &RankPart::queryCount), invalid);          // not a multiple
  EXPECT_EQ(allRanks(heads(8, 2, {3, 5}), 2, &RankPart::queryCount), invalid);  // 1 and 4 of a group
  EXPECT_EQ(allRanks(heads(8, 2, {4, 3}), 2, &RankPart::queryCount), invalid);  // one head left over
  EXPECT_EQ(allRanks(heads(8, 2, {-4, 12}), 2, &RankPart::queryCount), invalid);
  GeometrySpec uneven;
  uneven.sequence = 5;
  EXPECT_FALSE(partitionOf(uneven, 2));
  uneven.heads = 2;
  uneven.tokens = {5, 0};
  EXPECT_TRUE(partitionOf(uneven, 2));
  uneven.order = ulyssesOrderZigzag;
  EXPECT_FALSE(partitionOf(uneven, 2));
}

TEST(OraclePartition, ZigzagByHand) {
  using All = std::vector<Counts>;
  EXPECT_EQ(zigzagPositions({0, 8}, 2), (All{{0, 1, 6, 7}, {2, 3, 4, 5}}));
  EXPECT_EQ(zigzagPositions({0, 10}, 2), (All{{0, 1, 2, 8, 9}, {3, 4, 5, 6, 7}}));  // chunks of 3 3 2 2
  EXPECT_EQ(zigzagPositions({0, 1}, 3), (All{{0}, {}, {}}));
  EXPECT_EQ(zigzagPositions({0, 4, 4, 9}, 2), (All{{0, 3, 4, 5, 8}, {1, 2, 6, 7}}));  // 1 1 1 1, nothing, 2 1 1 1
}

std::uint16_t rounded(ulyssesDataType_t type, double value) {
  std::uint8_t bytes[8];
  encode(type, value, bytes);
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return bits;
}

TEST(OracleElement, RoundsToNearestEven) {
  EXPECT_EQ(rounded(ulyssesBfloat16, 1.0), 0x3f80);
  EXPECT_EQ(rounded(ulyssesBfloat16, 1 + 0x1p-8), 0x3f80);            // tie, even below
  EXPECT_EQ(rounded(ulyssesBfloat16, 1 + 0x1p-8 + 0x1p-23), 0x3f81);  // just above the tie
  EXPECT_EQ(rounded(ulyssesBfloat16, 1 + 3 * 0x1p-8), 0x3f82);        // tie, even above
  EXPECT_EQ(rounded(ulyssesBfloat16, -0.0), 0x8000);
  EXPECT_EQ(rounded(ulyssesBfloat16, 0x1p-133), 0x0001);  // smallest subnormal
  EXPECT_EQ(rounded(ulyssesBfloat16, 3.4e38), 0x7f80);    // beyond the largest, by rounding
  EXPECT_EQ(rounded(ulyssesFloat16, 65504.0), 0x7bff);
  EXPECT_EQ(rounded(ulyssesFloat16, 65519.0), 0x7bff);
  EXPECT_EQ(rounded(ulyssesFloat16, 65520.0), 0x7c00);
  EXPECT_EQ(rounded(ulyssesFloat16, -0x1p-25), 0x8000);
  EXPECT_EQ(rounded(ulyssesFloat16, 0x1.8p-24), 0x0002);
  EXPECT_EQ(rounded(ulyssesFloat16, 0x1.ff8p-15), 0x03ff);  // largest subnormal
}

TEST(OracleElement, DecodesWhatItEncodes) {
  for (const ulyssesDataType_t type : {ulyssesFloat16, ulyssesBfloat16}) {
    for (int bits = 0; bits < 0x10000; ++bits) {
      const auto element = static_cast<std::uint16_t>(bits);
      const double value = decode(type, reinterpret_cast<const std::uint8_t*>(&element));
      if (std::isnan(value)) continue;
      ASSERT_EQ(rounded(type, value), element) << nameOf(type);
    }
  }
}

TEST(OracleElement, SumsInOrderAndRoundsOnce) {
  const float big = 0x1p24f;
  const float one = 1;
  const float minus = -0x1p24f;
  const auto bytes = [](const float& value) { return reinterpret_cast<const std::uint8_t*>(&value); };
  float sum = -1;
  auto* result = reinterpret_cast<std::uint8_t*>(&sum);
  sumElements(ulyssesFloat32, {bytes(big), bytes(one), bytes(minus)}, result);
  EXPECT_EQ(sum, 0.0f);  // the one is lost beside the big
  sumElements(ulyssesFloat32, {bytes(big), bytes(minus), bytes(one)}, result);
  EXPECT_EQ(sum, 1.0f);
}

/// Two ranks, two heads, two tokens each, by the map of the header: y_r[t, h] = x_j[s, r].
TEST(OracleExchange, ScatterByHand) {
  Case run;
  run.nRanks = 2;
  run.geometry = heads(2, 0);
  run.geometry.sequence = 4;
  run.partition = *partitionOf(run.geometry, 2);
  TensorCase tensor;
  tensor.type = ulyssesUint8;
  tensor.inputs.resize(2);
  for (Side& side : tensor.inputs) side.strides = stridesOf(ulyssesLayoutSBHD, {2, 1, 2, 1, 1});
  tensor.outputs.resize(2);
  for (Side& side : tensor.outputs) side.strides = stridesOf(ulyssesLayoutSBHD, {4, 1, 1, 1, 1});
  const std::vector<Image> inputs = {{{10, 11, 20, 21}, 0}, {{30, 31, 40, 41}, 0}};  // tens: token, ones: head
  Image output = {std::vector<std::uint8_t>(4), 0};
  applyOracle(run, tensor, 0, inputs, &output);
  EXPECT_EQ(output.bytes, (std::vector<std::uint8_t>{10, 20, 30, 40}));
  applyOracle(run, tensor, 1, inputs, &output);
  EXPECT_EQ(output.bytes, (std::vector<std::uint8_t>{11, 21, 31, 41}));
}

std::vector<Image> exchanged(const Case& run, std::size_t tensor, const std::vector<Image>& inputs) {
  std::vector<Image> outputs;
  for (int rank = 0; rank < run.nRanks; ++rank) {
    outputs.push_back(outputImage(run, tensor, rank));
    applyOracle(run, run.tensors[tensor], rank, inputs, &outputs.back());
  }
  return outputs;
}

/// Number of rows that the two images have in common, or -1 when one differs.
std::int64_t equalRows(const Image& one, const Image& other, const TensorCase& tensor, const ulyssesStrides_t& strides,
                       const Dims& dims) {
  const std::size_t size = bytesOf(tensor.type);
  std::int64_t rows = 0;
  for (std::int64_t token = 0; token < dims.tokens; ++token) {
    for (std::int64_t batch = 0; batch < dims.batch; ++batch) {
      for (std::int64_t head = 0; head < dims.heads; ++head, ++rows) {
        const std::int64_t offset = offsetOf(strides, dims, token, batch, head) * static_cast<std::int64_t>(size);
        const std::size_t rowBytes = static_cast<std::size_t>(dims.headDim) * size;
        if (std::memcmp(one.at(offset), other.at(offset), rowBytes) != 0) return -1;
      }
    }
  }
  return rows;
}

TEST(OracleExchange, ThereAndBackIsNothing) {
  std::int64_t compared = 0;
  for (std::int64_t index = 0; index < 300; ++index) {
    const Case forward = drawCase(Profile::Adjoint, 5, index, 1 + static_cast<int>(index % 8));
    if (forward.partition.kvShared) continue;
    Case back = drawInverse(forward);
    const Images inputs = inputImages(forward);
    for (std::size_t at = 0; at < forward.tensors.size(); ++at) {
      const TensorCase& tensor = forward.tensors[at];
      back.tensors[at].outputs = tensor.inputs;  // into a buffer like the input's, every byte of it wrong
      const std::vector<Image> middle = exchanged(forward, at, inputs[at]);
      for (std::size_t rank = 0; rank < inputs[at].size(); ++rank) {
        Image output = inputs[at][rank];
        for (std::uint8_t& byte : output.bytes) byte = static_cast<std::uint8_t>(~byte);
        applyOracle(back, back.tensors[at], static_cast<int>(rank), middle, &output);
        const std::int64_t rows = equalRows(output, inputs[at][rank], tensor, tensor.inputs[rank].strides,
                                            dimsOf(forward, tensor, static_cast<int>(rank), End::Input));
        ASSERT_GE(rows, 0) << toText(forward);
        compared += rows;
      }
    }
  }
  EXPECT_GT(compared, 10000);
}

}  // namespace

}  // namespace ulysses::test
