// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "plan/plan.h"

namespace ulysses {
namespace {

constexpr int64_t kLongestHead = int64_t{1} << 32;

void requireShapeCountable(const TensorSpec& tensor, const Shape& shape, int index, const char* what) {
  int64_t bytes = tensor.rowBytes();
  for (const int64_t n : {shape.tokens, shape.batch, shape.groups, shape.headsPerGroup})
    require(!__builtin_mul_overflow(bytes, n, &bytes),
            "tensors[{}], {}: {} tokens x batch {} x {} heads x headDim {} x {} bytes does not fit 64 bits", index,
            what, shape.tokens, shape.batch, shape.groups * shape.headsPerGroup, tensor.headDim, sizeOf(tensor.type));
}

void requireSum(Operation operation, const Geometry& geometry, const Distribution& distribution,
                const TensorSpec& tensor, int index) {
  if (tensor.sum) {
    require(operation == Operation::GatherHeads && tensor.kind == TensorKind::Kv,
            "tensors[{}].flags: ULYSSES_TENSOR_SUM is for KV tensors in GatherHeads, not for a {} tensor in {}", index,
            nameOf(tensor.kind), nameOf(operation));
    require(isSummable(tensor.type), "tensors[{}].dtype={}: sums are defined for f64, f32, f16 and bf16", index,
            nameOf(tensor.type));
  } else if (operation == Operation::GatherHeads && tensor.kind == TensorKind::Kv) {
    const int64_t head = distribution.heads.firstSharedKvHead();
    require(head < 0,
            "tensors[{}]: KV head {} is held by {} ranks (kvHeads={}, {} ranks); gathering it needs ULYSSES_TENSOR_SUM",
            index, head, head < 0 ? 0 : distribution.heads.holderCount(head), geometry.kvHeads, geometry.nRanks);
  }
}

}  // namespace

Shape shardShape(const Geometry& geometry, const Distribution& distribution, const TensorSpec& tensor, Side side,
                 int rank) {
  const bool query = tensor.kind == TensorKind::Query;
  if (side == Side::SequenceShard)
    return {distribution.tokens.tokens[static_cast<size_t>(rank)], geometry.batch, geometry.kvHeads,
            query ? geometry.groupSize() : 1, tensor.headDim};
  return {geometry.sequence, geometry.batch, distribution.heads.kv[static_cast<size_t>(rank)].count,
          query ? distribution.heads.localGroupSize(rank) : 1, tensor.headDim};
}

void requireCountable(const Geometry& geometry, const Distribution& distribution, const TensorSpec& tensor, int index,
                      int rank) {
  require(tensor.headDim >= 1 && tensor.headDim <= kLongestHead, "tensors[{}].headDim={}: want 1..{}", index,
          tensor.headDim, kLongestHead);
  requireShapeCountable(tensor, shardShape(geometry, distribution, tensor, Side::SequenceShard, rank), index,
                        "sequence shard");
  requireShapeCountable(tensor, shardShape(geometry, distribution, tensor, Side::HeadShard, rank), index, "head shard");
}

void requireTensor(Operation operation, const Geometry& geometry, const Distribution& distribution,
                   const TensorSpec& tensor, int index, int rank) {
  requireCountable(geometry, distribution, tensor, index, rank);
  requireSum(operation, geometry, distribution, tensor, index);
  const bool scatter = operation == Operation::ScatterHeads;
  const Shape input = shardShape(geometry, distribution, tensor, scatter ? Side::SequenceShard : Side::HeadShard, rank);
  const Shape output =
      shardShape(geometry, distribution, tensor, scatter ? Side::HeadShard : Side::SequenceShard, rank);
  extentOf("input", input, tensor.input, sizeOf(tensor.type));
  extentOf("output", output, tensor.output, sizeOf(tensor.type));
  require(
      !overlapsItself(output, tensor.output),
      "tensors[{}].outputStrides ({}, {}, {}, {}): elements of the output share addresses; give every dimension with "
      "more than one element a stride that steps over the inner ones",
      index, tensor.output.sequence, tensor.output.batch, tensor.output.group, tensor.output.head);
}

}  // namespace ulysses
