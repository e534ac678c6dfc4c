// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/reproduction.h"

#include <gtest/gtest.h>

namespace ulysses::test {
namespace {

constexpr std::uint32_t kAny = kReproSbhd | kReproBshd | kReproBhsd;

Geometry plainGeometry() {
  Geometry geometry;
  geometry.nRanks = 4;
  geometry.sequence = 64;
  geometry.batch = 2;
  geometry.heads = 8;
  geometry.kvHeads = 4;
  return geometry;
}

TEST(Reproduction, OneTensor) {
  const ReproTensor tensor{DataType::BF16, TensorKind::Query, 128, kReproBshd};
  EXPECT_EQ(
      reproductionLine(Operation::ScatterHeads, plainGeometry(), {&tensor, 1}, ReproMemory::Registered),
      "ulysses_perf scatter_heads --ranks 4 --seq 64 --batch 2 --heads 8 --kv-heads 4 --head-dim 128 --dtype bf16 "
      "--layout bshd --memory registered");
}

TEST(Reproduction, KvTensorWithHeadsAndTokensOfEachRank) {
  const std::int64_t tokens[] = {64, 0, 0, 0}, heads[] = {8, 0, 0, 0};
  Geometry geometry = plainGeometry();
  geometry.tokens = tokens;
  geometry.queryHeads = heads;
  const ReproTensor tensor{DataType::F16, TensorKind::Kv, 1, kReproBhsd};
  EXPECT_EQ(reproductionLine(Operation::GatherHeads, geometry, {&tensor, 1}, ReproMemory::Plain),
            "ulysses_perf gather_heads --ranks 4 --seq 64 --batch 2 --heads 8 --kv-heads 4 --query-heads 8,0,0,0 "
            "--tokens 64,0,0,0 --tensor kv --head-dim 1 --dtype f16 --layout bhsd --memory plain");
}

TEST(Reproduction, QkvInBothDirections) {
  const ReproTensor tensors[] = {{DataType::F32, TensorKind::Query, 64, kAny},
                                 {DataType::F32, TensorKind::Kv, 64, kReproBshd | kReproBhsd},
                                 {DataType::F32, TensorKind::Kv, 32, kReproBhsd}};
  const std::string rest =
      " --ranks 4 --seq 64 --batch 2 --heads 8 --kv-heads 4 --head-dim 64 --v-head-dim 32 --dtype f32 --layout bhsd";
  EXPECT_EQ(reproductionLine(Operation::ScatterHeads, plainGeometry(), tensors, ReproMemory::Unknown),
            "ulysses_perf qkv" + rest);
  EXPECT_EQ(reproductionLine(Operation::GatherHeads, plainGeometry(), tensors, ReproMemory::Unknown),
            "ulysses_perf qkv --backward" + rest);
}

TEST(Reproduction, SaysWhatTheToolCannotExpress) {
  const std::int64_t ends[] = {0, 10, 64}, tokens[] = {16, 16, 16, 16};
  Geometry geometry = plainGeometry();
  geometry.order = SequenceOrder::Zigzag;
  geometry.cuSeqlens = ends;
  geometry.tokens = tokens;
  geometry.tag = 0x2a;
  const ReproTensor tensors[] = {{DataType::I8, TensorKind::Query, 5, 0}, {DataType::I64, TensorKind::Query, 5, kAny}};
  EXPECT_EQ(
      reproductionLine(Operation::ScatterHeads, geometry, tensors, ReproMemory::Unknown),
      "ulysses_perf scatter_heads --ranks 4 --seq 64 --batch 2 --heads 8 --kv-heads 4 --order zigzag --head-dim 5 "
      "--dtype i8 --layout sbhd  # packed sequences differ; one of 2 tensors; strides differ; without tag 0x2a");
}

TEST(Reproduction, LayoutsThatShareNoNameDiffer) {
  const ReproTensor tensors[] = {{DataType::F32, TensorKind::Query, 64, kReproSbhd},
                                 {DataType::F32, TensorKind::Kv, 64, kReproBshd},
                                 {DataType::F32, TensorKind::Kv, 64, kReproSbhd}};
  EXPECT_NE(reproductionLine(Operation::ScatterHeads, plainGeometry(), tensors, ReproMemory::Unknown)
                .find("--layout sbhd  # strides differ"),
            std::string::npos);
}

TEST(Reproduction, OfAPlanFindsTheLayout) {
  const Geometry geometry = plainGeometry();
  const Distribution distribution = distribute(geometry);
  TensorSpec tensor{.type = DataType::BF16, .headDim = 16, .input = {}, .output = {}};
  const Shape in = shardShape(geometry, distribution, tensor, Side::SequenceShard, 1);
  const Shape out = shardShape(geometry, distribution, tensor, Side::HeadShard, 1);
  tensor.input = bhsd(in);
  tensor.output = bhsd(out);
  const auto line = [&] { return reproductionLine(Plan(Operation::ScatterHeads, geometry, {&tensor, 1}, 1), {}); };
  EXPECT_NE(line().find("--layout bhsd"), std::string::npos) << line();
  EXPECT_EQ(line().find('#'), std::string::npos) << line();
  tensor.input.batch += 16;  // a gap
  EXPECT_NE(line().find("# strides differ"), std::string::npos) << line();
  tensor.input = bshd(in);  // in one layout, out another
  EXPECT_NE(line().find("# strides differ"), std::string::npos) << line();
}

}  // namespace
}  // namespace ulysses::test
