// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Random exchanges for the plan's tests, and the index map they are checked against. The map is plain loops over
// support/partition.h, which is written from the specification and shares nothing with src/plan.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "plan/plan.h"
#include "support/partition.h"
#include "support/rng.h"

namespace ulysses::test {

/// One exchange; each rank has strides of its own.
struct PlanCase {
  int nRanks = 1;
  Operation operation = Operation::ScatterHeads;
  GeometrySpec spec;
  Partition partition;
  std::vector<std::vector<TensorSpec>> tensors;  // [nRanks][nTensors]

  /// Its spans point into this case.
  Geometry geometry() const;
  std::int64_t groupSize() const { return spec.heads / kvHeadsOf(spec); }
  const RankPart& part(int rank) const { return partition.ranks[static_cast<std::size_t>(rank)]; }
  const std::vector<TensorSpec>& tensorsOf(int rank) const { return tensors[static_cast<std::size_t>(rank)]; }
  std::unique_ptr<Plan> planOf(int rank) const;
  std::vector<std::unique_ptr<Plan>> allPlans() const;
};

PlanCase drawCase(int nRanks, std::uint64_t seed);

/// Extents of a shard by the specification.
Shape sequenceShape(const PlanCase& run, const TensorSpec& tensor, int rank);
Shape headShape(const PlanCase& run, const TensorSpec& tensor, int rank);

/// (offset in the source, offset in the destination), in bytes, of rows of head_dim elements; sorted.
using RowPairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// What must go from one rank to another of one tensor.
RowPairs mappedRows(const PlanCase& run, int tensor, int source, int destination);

/// Offsets of every row of a shard; sorted.
std::vector<std::int64_t> rowsOf(const Shape& shape, const Strides& strides, std::int64_t elementBytes);

/// Offsets of the rows of a view in its canonical order.
std::vector<std::int64_t> rowsOf(const View& view);

}  // namespace ulysses::test
