// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "case.h"

#include <algorithm>

namespace ulysses::perf {

ulyssesGeometry_t Case::geometry() const {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = sequence;
  geometry.batch = batch;
  geometry.heads = heads;
  geometry.kvHeads = kvHeads;
  geometry.order = order;
  geometry.tokens = tokens.empty() ? nullptr : tokens.data();
  geometry.queryHeads = queryHeads.empty() ? nullptr : queryHeads.data();
  return geometry;
}

ulyssesTensor_t Case::descriptor(int tensor, const void* input, void* output) const {
  const TensorSpec& spec = tensors[at(tensor)];
  ulyssesTensor_t descriptor{};
  descriptor.input = input;
  descriptor.output = output;
  descriptor.headDim = spec.headDim;
  descriptor.dtype = type->id;
  descriptor.kind = spec.kind;
  descriptor.inputLayout = layout;
  descriptor.outputLayout = layout;
  descriptor.flags = spec.sum ? ULYSSES_TENSOR_SUM : 0u;
  return descriptor;
}

int64_t Case::headBegin(int tensor, int rank) const {
  const RankShare& share = shares[at(rank)];
  return tensors[at(tensor)].kind == ulyssesTensorKv ? share.kvBegin : share.queryBegin;
}

int64_t Case::headCount(int tensor, int rank) const {
  const RankShare& share = shares[at(rank)];
  return tensors[at(tensor)].kind == ulyssesTensorKv ? share.kvCount : share.queryCount;
}

std::vector<int> Case::holders(int tensor, int64_t head) const {
  std::vector<int> found;
  for (int rank = 0; rank < ranks; ++rank) {
    const int64_t begin = headBegin(tensor, rank);
    if (head >= begin && head < begin + headCount(tensor, rank)) found.push_back(rank);
  }
  return found;
}

Shape Case::sequenceSide(int tensor, int rank) const {
  return {tokenCount(rank), batch, fullHeads(tensor), tensors[at(tensor)].headDim};
}

Shape Case::headSide(int tensor, int rank) const {
  return {sequence, batch, headCount(tensor, rank), tensors[at(tensor)].headDim};
}

Shape Case::inputShape(int tensor, int rank) const {
  return op == ulyssesOpScatterHeads ? sequenceSide(tensor, rank) : headSide(tensor, rank);
}

Shape Case::outputShape(int tensor, int rank) const {
  return op == ulyssesOpScatterHeads ? headSide(tensor, rank) : sequenceSide(tensor, rank);
}

ByteStrides Case::strides(const Shape& shape) const {
  const int64_t row = shape.headDim * type->bytes;
  switch (layout) {
    case ulyssesLayoutBSHD:
      return {shape.heads * row, shape.tokens * shape.heads * row, row};
    case ulyssesLayoutBHSD:
      return {row, shape.heads * shape.tokens * row, shape.tokens * row};
    default:
      return {shape.batch * shape.heads * row, shape.heads * row, row};
  }
}

int64_t Case::receivedBytes(int rank) const {
  int64_t total = 0;
  for (int tensor = 0; tensor < nTensors(); ++tensor) {
    if (op == ulyssesOpScatterHeads) {
      total += outputBytes(tensor, rank);
      continue;
    }
    int64_t headsReceived = 0;  // partial sums count once for each rank that sends one
    for (int sender = 0; sender < ranks; ++sender) headsReceived += headCount(tensor, sender);
    total += tokenCount(rank) * batch * headsReceived * tensors[at(tensor)].headDim * type->bytes;
  }
  return total;
}

int64_t Case::largestReceivedBytes() const {
  int64_t largest = 0;
  for (int rank = 0; rank < ranks; ++rank) largest = std::max(largest, receivedBytes(rank));
  return largest;
}

}  // namespace ulysses::perf
