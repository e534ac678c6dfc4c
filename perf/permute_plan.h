// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What --compare permute does on a GPU, as data: one strided pass that packs where the layout needs it, contiguous
// copies, one pass that unpacks where it needs that. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case.h"
#include "moves.h"
#include "strided.h"

namespace ulysses::perf {

// Boxes of one pass, for all tensors, and the unit that fits all of them.
struct BoxList {
  std::vector<StridedBox> boxes;
  uint32_t tiles = 0;
  int unitBytes = 16;
};

// Copies become boxes, those of 2^31 units and more several. Copies of no bytes are left out.
BoxList boxesOf(const std::vector<Move>& moves);

// A block that is contiguous at both ends; offsets of the arenas of `peer` and of this rank.
struct BlockCopy {
  int peer;
  int64_t source, target, bytes;
};

struct PermutePlan {
  BoxList pack, unpack;  // source and target: offsets of this rank's arena
  std::vector<BlockCopy> copies;

  int passes() const { return (pack.boxes.empty() ? 0 : 1) + (unpack.boxes.empty() ? 0 : 1); }
};

// Sizes of the pieces of a rank's arena: inputs, outputs, packed, received, each by tensor.
std::vector<int64_t> permuteSizesOf(const Case& test, int rank);

// offsets[rank][piece]: where the pieces lie in each rank's arena.
PermutePlan planPermute(const Case& test, int rank, const std::vector<std::vector<int64_t>>& offsets);

// Why the case cannot be permuted on a GPU; empty: it can.
std::string whyNoPermute(const Case& test);

}  // namespace ulysses::perf
