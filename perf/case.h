// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One case of a benchmark: the tensors of one exchange at one sequence length, and which rank holds what of them.
// Written from the index map of docs/algorithms.md; of the library it asks only the split and the token positions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data_type.h"
#include "ulysses_coll.h"

namespace ulysses::perf {

struct Options;

// Extents of one rank's tensor; the order in memory is the case's layout.
struct Shape {
  int64_t tokens, batch, heads, headDim;

  int64_t elements() const { return tokens * batch * heads * headDim; }
};

// Distances in bytes between neighbours along each axis.
struct ByteStrides {
  int64_t token, batch, head;
};

struct TensorSpec {
  std::string name;
  ulyssesTensorKind_t kind;
  int64_t headDim;
  bool sum;  // GatherHeads adds the partial values of the ranks that share a KV head
};

// What one rank holds: heads on the head-sharded side, tokens on the sequence-sharded side.
struct RankShare {
  int64_t queryBegin, queryCount, kvBegin, kvCount;
  std::vector<int64_t> positions;  // place in the sequence of each of its tokens
};

struct Case {
  ulyssesOp_t op = ulyssesOpScatterHeads;  // after --backward: what really runs
  ulyssesLayout_t layout = ulyssesLayoutSBHD;
  ulyssesSequenceOrder_t order = ulyssesOrderContiguous;
  const DataType* type = nullptr;
  int ranks = 0;
  int64_t sequence = 0, batch = 0, heads = 0, kvHeads = 0;
  std::vector<int64_t> tokens, queryHeads;  // empty: the default split
  std::vector<TensorSpec> tensors;
  std::vector<RankShare> shares;  // [ranks]
  double imbalance = 1;

  ulyssesGeometry_t geometry() const;  // points into this case
  ulyssesTensor_t descriptor(int tensor, const void* input, void* output) const;

  int64_t fullHeads(int tensor) const { return tensors[at(tensor)].kind == ulyssesTensorKv ? kvHeads : heads; }
  int64_t headBegin(int tensor, int rank) const;
  int64_t headCount(int tensor, int rank) const;
  int64_t tokenCount(int rank) const { return static_cast<int64_t>(shares[at(rank)].positions.size()); }
  // Ranks that hold `head` on the head-sharded side, ascending.
  std::vector<int> holders(int tensor, int64_t head) const;

  Shape inputShape(int tensor, int rank) const;
  Shape outputShape(int tensor, int rank) const;
  ByteStrides strides(const Shape& shape) const;
  int64_t inputBytes(int tensor, int rank) const { return inputShape(tensor, rank).elements() * type->bytes; }
  int64_t outputBytes(int tensor, int rank) const { return outputShape(tensor, rank).elements() * type->bytes; }
  // What a rank receives, its own share and each partial of a sum included.
  int64_t receivedBytes(int rank) const;
  int64_t largestReceivedBytes() const;
  int nTensors() const { return static_cast<int>(tensors.size()); }

 private:
  static size_t at(int index) { return static_cast<size_t>(index); }
  Shape sequenceSide(int tensor, int rank) const;
  Shape headSide(int tensor, int rank) const;
};

// The case of `options` at a sequence length. Throws InputError when the library says that it cannot be.
Case makeCase(const Options& options, int64_t sequence);

// All sizes of a run: one, or the sweep -b -e -f.
std::vector<Case> makeCases(const Options& options);

}  // namespace ulysses::perf
