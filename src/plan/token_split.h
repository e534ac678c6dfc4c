// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <vector>

#include "plan/geometry.h"

namespace ulysses {

/// Tokens [local, local + count) of a rank are tokens [global, global + count) of the whole sequence.
struct TokenRun {
  int64_t local, global, count;
};

/// Which tokens each rank holds on the sequence-sharded side, as the longest runs, in the rank's own order.
struct TokenSplit {
  std::vector<TokenRun> runs;     // all ranks', rank after rank
  std::vector<int64_t> firstRun;  // [nRanks + 1] into runs
  std::vector<int64_t> tokens;    // [nRanks] how many

  std::span<const TokenRun> of(int rank) const {
    const size_t r = static_cast<size_t>(rank);
    return std::span(runs).subspan(static_cast<size_t>(firstRun[r]),
                                   static_cast<size_t>(firstRun[r + 1] - firstRun[r]));
  }
};

/// Zigzag rule: a (packed) sequence of length L is cut into 2P chunks, the first L % 2P one token longer; rank r holds
/// chunk r, then chunk 2P-1-r. Throws InvalidArgument when the counts or cuSeqlens cannot be.
TokenSplit splitTokens(const Geometry& geometry);

}  // namespace ulysses
