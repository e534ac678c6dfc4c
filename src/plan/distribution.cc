// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/distribution.h"

#include "base/check.h"

namespace ulysses {
namespace {

// Far above any machine, low enough that sums of a few of them cannot overflow.
constexpr int64_t kLongest = int64_t{1} << 48;
constexpr int64_t kMostHeads = int64_t{1} << 32;

void requireArrayLength(const char* name, std::span<const int64_t> values, int nRanks) {
  require(values.empty() || std::ssize(values) == nRanks, "{}: {} entries for {} ranks", name, values.size(), nRanks);
}

}  // namespace

Distribution distribute(const Geometry& g) {
  require(g.nRanks >= 1, "nRanks={}: want at least 1", g.nRanks);
  require(g.sequence >= 0 && g.sequence <= kLongest, "sequence={}: want 0..{}", g.sequence, kLongest);
  require(g.batch >= 0 && g.batch <= kLongest, "batch={}: want 0..{}", g.batch, kLongest);
  require(g.heads >= 1 && g.heads <= kMostHeads, "heads={}: want 1..{}", g.heads, kMostHeads);
  require(g.kvHeads >= 1 && g.kvHeads <= g.heads && g.heads % g.kvHeads == 0,
          "kvHeads={}: want a divisor of heads={} (0 in the public struct means heads)", g.kvHeads, g.heads);
  requireArrayLength("tokens", g.tokens, g.nRanks);
  requireArrayLength("queryHeads", g.queryHeads, g.nRanks);
  return {splitHeads(g), splitTokens(g)};
}

}  // namespace ulysses
