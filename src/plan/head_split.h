// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "plan/geometry.h"

namespace ulysses {

/// Which heads each rank holds on the head-sharded side: contiguous, in rank order, and a query head always with its KV
/// head. Source of the default: DeepSpeed's uneven rule over KV heads; replicas in repeat_interleave order (ALST).
struct HeadSplit {
  std::vector<Range> query, kv;  // [nRanks]

  const std::vector<Range>& of(TensorKind kind) const { return kind == TensorKind::Query ? query : kv; }
  /// Query heads per KV head at one rank; 1 when it has none.
  int64_t localGroupSize(int rank) const;
  /// The lowest KV head that several ranks hold, or -1.
  int64_t firstSharedKvHead() const;
  /// First rank that holds a KV head, and how many do (ranks without heads between them not counted).
  int64_t firstHolder(int64_t kvHead) const;
  int64_t holderCount(int64_t kvHead) const;
  /// Largest number of query heads over the ideal, heads / ranks.
  double imbalance() const;
};

/// Throws InvalidArgument, naming the numbers and what would work, when no such split exists.
HeadSplit splitHeads(const Geometry& geometry);

}  // namespace ulysses
