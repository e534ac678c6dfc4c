// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan_case.h"

#include <algorithm>
#include <array>

#include "support/random_geometry.h"

namespace ulysses::test {
namespace {

bool isSource(const PlanCase& run, Side side) {
  return (run.operation == Operation::ScatterHeads) == (side == Side::SequenceShard);
}

/// Dimensions nested in a random order, with gaps at times: contiguous layouts, slices and odd ones alike. Inputs may
/// also run backwards or repeat; a stride that is never stepped along may be anything.
Strides drawStrides(Rng& rng, const Shape& shape, bool input) {
  const std::array<std::int64_t, 4> extents{shape.tokens, shape.batch, shape.groups, shape.headsPerGroup};
  std::array<std::int64_t, 4> strides{};
  std::array<std::size_t, 4> order{3, 2, 1, 0};
  if (rng.chance(60))
    for (std::size_t i = 3; i > 0; --i)
      std::swap(order[i], order[static_cast<std::size_t>(rng.between(0, 3)) % (i + 1)]);
  const bool gaps = rng.chance(40);
  std::int64_t next = shape.headDim;
  for (const std::size_t dim : order) {
    const std::int64_t stride = next + (gaps ? rng.between(0, 3) : 0);
    next = std::max<std::int64_t>(extents[dim], 1) * stride;
    strides[dim] = rng.chance(10) ? -stride : stride;
    if (input && rng.chance(4)) strides[dim] = 0;
    if (extents[dim] <= 1 && rng.chance(30)) strides[dim] = rng.between(-99, 99);
  }
  return {strides[0], strides[1], strides[2], strides[3]};
}

TensorSpec drawTensor(Rng& rng, const PlanCase& run) {
  TensorSpec tensor;
  tensor.kind = rng.chance(50) ? TensorKind::Kv : TensorKind::Query;
  tensor.headDim = rng.between(1, 4);
  const bool mustSum = tensor.kind == TensorKind::Kv && run.partition.kvShared;
  tensor.sum = run.operation == Operation::GatherHeads && tensor.kind == TensorKind::Kv && (mustSum || rng.chance(30));
  tensor.type = static_cast<DataType>(rng.between(0, tensor.sum ? 3 : kDataTypeCount - 1));
  return tensor;
}

/// Address of a head within a shard whose groups have `groupSize` heads.
std::int64_t headOffset(const Strides& strides, std::int64_t head, std::int64_t groupSize) {
  return head / groupSize * strides.group + head % groupSize * strides.head;
}

}  // namespace

Geometry PlanCase::geometry() const {
  Geometry geometry;
  geometry.nRanks = nRanks;
  geometry.sequence = spec.sequence;
  geometry.batch = spec.batch;
  geometry.heads = spec.heads;
  geometry.kvHeads = kvHeadsOf(spec);
  geometry.order = spec.order == ulyssesOrderZigzag ? SequenceOrder::Zigzag : SequenceOrder::Contiguous;
  geometry.tokens = spec.tokens;
  geometry.queryHeads = spec.queryHeads;
  geometry.cuSeqlens = spec.cuSeqlens;
  return geometry;
}

std::unique_ptr<Plan> PlanCase::planOf(int rank) const {
  return std::make_unique<Plan>(operation, geometry(), tensorsOf(rank), rank);
}

std::vector<std::unique_ptr<Plan>> PlanCase::allPlans() const {
  std::vector<std::unique_ptr<Plan>> plans;
  for (int rank = 0; rank < nRanks; ++rank) plans.push_back(planOf(rank));
  return plans;
}

PlanCase drawCase(int nRanks, std::uint64_t seed) {
  Rng rng(seed, static_cast<std::uint64_t>(nRanks), 1);
  PlanCase run;
  run.nRanks = nRanks;
  run.operation = rng.chance(50) ? Operation::ScatterHeads : Operation::GatherHeads;
  drawHeads(&rng, nRanks, nRanks > 1 && rng.chance(40), &run.spec);
  drawTokens(&rng, nRanks, 2 * nRanks + 5, &run.spec);
  run.spec.batch = rng.chance(5) ? 0 : rng.between(1, 3);
  run.partition = partitionOf(run.spec, nRanks).value();
  const std::int64_t nTensors = rng.between(1, 3);
  run.tensors.resize(static_cast<std::size_t>(nRanks));
  for (std::int64_t t = 0; t < nTensors; ++t) {
    TensorSpec tensor = drawTensor(rng, run);
    for (int rank = 0; rank < nRanks; ++rank) {
      const Shape sequence = sequenceShape(run, tensor, rank), head = headShape(run, tensor, rank);
      const bool scatter = isSource(run, Side::SequenceShard);
      tensor.input = drawStrides(rng, scatter ? sequence : head, true);
      tensor.output = drawStrides(rng, scatter ? head : sequence, false);
      run.tensors[static_cast<std::size_t>(rank)].push_back(tensor);
    }
  }
  return run;
}

Shape sequenceShape(const PlanCase& run, const TensorSpec& tensor, int rank) {
  const bool query = tensor.kind == TensorKind::Query;
  return {std::ssize(run.part(rank).positions), run.spec.batch, kvHeadsOf(run.spec), query ? run.groupSize() : 1,
          tensor.headDim};
}

Shape headShape(const PlanCase& run, const TensorSpec& tensor, int rank) {
  const RankPart& part = run.part(rank);
  const bool query = tensor.kind == TensorKind::Query && part.kvCount > 0;
  return {run.spec.sequence, run.spec.batch, part.kvCount, query ? part.queryCount / part.kvCount : 1, tensor.headDim};
}

RowPairs mappedRows(const PlanCase& run, int tensor, int source, int destination) {
  const bool scatter = run.operation == Operation::ScatterHeads;
  const int sequenceRank = scatter ? source : destination, headRank = scatter ? destination : source;
  const TensorSpec& from = run.tensorsOf(source)[static_cast<std::size_t>(tensor)];
  const TensorSpec& to = run.tensorsOf(destination)[static_cast<std::size_t>(tensor)];
  const Strides& sequence = scatter ? from.input : to.output;
  const Strides& head = scatter ? to.output : from.input;
  const bool query = from.kind == TensorKind::Query;
  const RankPart& part = run.part(headRank);
  const std::int64_t first = query ? part.queryBegin : part.kvBegin, count = query ? part.queryCount : part.kvCount;
  const std::int64_t groupSize = query ? run.groupSize() : 1;
  const std::int64_t localGroup = headShape(run, from, headRank).headsPerGroup;
  const auto& positions = run.part(sequenceRank).positions;
  RowPairs rows;
  for (std::int64_t t = 0; t < std::ssize(positions); ++t)
    for (std::int64_t b = 0; b < run.spec.batch; ++b)
      for (std::int64_t h = 0; h < count; ++h) {
        const std::int64_t place = positions[static_cast<std::size_t>(t)];
        const std::int64_t inSequence =
            t * sequence.sequence + b * sequence.batch + headOffset(sequence, first + h, groupSize);
        const std::int64_t inHead = place * head.sequence + b * head.batch + headOffset(head, h, localGroup);
        const std::int64_t bytes = sizeOf(from.type);
        rows.emplace_back((scatter ? inSequence : inHead) * bytes, (scatter ? inHead : inSequence) * bytes);
      }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::int64_t> rowsOf(const Shape& shape, const Strides& strides, std::int64_t elementBytes) {
  const View view{.offset = 0,
                  .n = {shape.tokens, shape.batch, shape.groups, shape.headsPerGroup},
                  .stride = {strides.sequence * elementBytes, strides.batch * elementBytes,
                             strides.group * elementBytes, strides.head * elementBytes},
                  .runBytes = shape.headDim * elementBytes};
  std::vector<std::int64_t> rows = rowsOf(view);
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::int64_t> rowsOf(const View& view) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < view.n[0]; ++i)
    for (std::int64_t j = 0; j < view.n[1]; ++j)
      for (std::int64_t k = 0; k < view.n[2]; ++k)
        for (std::int64_t l = 0; l < view.n[3]; ++l)
          rows.push_back(view.offset + i * view.stride[0] + j * view.stride[1] + k * view.stride[2] +
                         l * view.stride[3]);
  return rows;
}

}  // namespace ulysses::test
