// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Half of the oracle: who holds which heads and tokens, and whether a geometry can be at all. Written as plain loops
// from the specification (docs: "Semantics"); shares nothing with src/, so that a mistake there is not repeated here.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/geometry_spec.h"

namespace ulysses::test {

struct RankPart {
  std::int64_t queryBegin = 0;
  std::int64_t queryCount = 0;
  std::int64_t kvBegin = 0;  // meaningless when kvCount is 0
  std::int64_t kvCount = 0;
  std::int64_t kvReplica = 0;  // meaningless when kvCount is 0
  std::int64_t kvReplicas = 0;
  std::vector<std::int64_t> positions;  // of this rank's tokens, in the whole sequence
};

struct Partition {
  std::vector<RankPart> ranks;
  double imbalance = 1;
  bool kvShared = false;  // some KV head is held by more than one rank
};

/// nullopt when the geometry is invalid; *why then says so in words.
std::optional<Partition> partitionOf(const GeometrySpec& geometry, int nRanks, std::string* why = nullptr);

std::int64_t kvHeadsOf(const GeometrySpec& geometry);

/// The zigzag rule for tokens: positions of each rank. cuSeqlens holds 0, ..., S.
std::vector<std::vector<std::int64_t>> zigzagPositions(const std::vector<std::int64_t>& cuSeqlens, int nRanks);

}  // namespace ulysses::test
