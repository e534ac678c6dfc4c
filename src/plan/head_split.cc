// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/head_split.h"

#include <algorithm>

#include "base/check.h"

namespace ulysses {
namespace {

/// The i-th of `parts` contiguous parts of `total`; the first total % parts are one longer.
Range part(int64_t total, int64_t parts, int64_t i) {
  const int64_t base = total / parts, extra = total % parts;
  return {i * base + std::min(i, extra), base + (i < extra ? 1 : 0)};
}

void dealKvHeads(const Geometry& g, HeadSplit& split) {
  for (int rank = 0; rank < g.nRanks; ++rank) {
    const Range kv = part(g.kvHeads, g.nRanks, rank);
    split.kv.push_back(kv);
    split.query.push_back({kv.begin * g.groupSize(), kv.count * g.groupSize()});
  }
}

/// Fewer KV heads than ranks: each is shared by a block of ranks, over which its query heads are dealt.
void shareKvHeads(const Geometry& g, HeadSplit& split) {
  for (int64_t kv = 0; kv < g.kvHeads; ++kv) {
    const Range block = part(g.nRanks, g.kvHeads, kv);
    require(block.count <= g.groupSize(),
            "heads={} kvHeads={} over {} ranks: KV head {} would be shared by ranks {}..{} but has only {} query "
            "heads, so a "
            "rank would hold none; use at most {} ranks, or say queryHeads (0 is allowed there)",
            g.heads, g.kvHeads, g.nRanks, kv, block.begin, block.end() - 1, g.groupSize(), g.heads);
    for (int64_t i = 0; i < block.count; ++i) {
      const Range own = part(g.groupSize(), block.count, i);
      split.kv.push_back({kv, 1});
      split.query.push_back({kv * g.groupSize() + own.begin, own.count});
    }
  }
}

/// A rank's query heads must meet each of its KV heads equally often, or no attention kernel could take them.
void requireUniformRatio(const Geometry& g, int rank, Range query, Range kv) {
  const int64_t first = std::min(query.end(), (kv.begin + 1) * g.groupSize()) - query.begin;
  const int64_t last = query.end() - std::max(query.begin, (kv.end() - 1) * g.groupSize());
  const bool uniform = kv.count == 1 || (first == last && (kv.count == 2 || first == g.groupSize()));
  require(
      uniform,
      "queryHeads[{}]={}: heads {}..{} of rank {} take {} of KV head {} and {} of KV head {} ({} query heads per KV "
      "head); each rank needs as many of every KV head it holds, for example a multiple of {}",
      rank, query.count, query.begin, query.end() - 1, rank, first, kv.begin, last, kv.end() - 1, g.groupSize(),
      g.groupSize());
}

void takeExplicitHeads(const Geometry& g, HeadSplit& split) {
  int64_t next = 0;
  for (int rank = 0; rank < g.nRanks; ++rank) {
    const int64_t count = g.queryHeads[static_cast<size_t>(rank)];
    require(count >= 0 && count <= g.heads - next, "queryHeads[{}]={}: want 0..{} (heads={}, {} taken by lower ranks)",
            rank, count, g.heads - next, g.heads, next);
    const Range query{next, count};
    // A rank without heads is put between KV heads, so that the ends of the ranges ascend (see firstEndingAfter).
    const int64_t firstKv = (next + (count ? 0 : g.groupSize() - 1)) / g.groupSize();
    const Range kv{firstKv, count ? (query.end() - 1) / g.groupSize() - firstKv + 1 : 0};
    if (count) requireUniformRatio(g, rank, query, kv);
    split.query.push_back(query);
    split.kv.push_back(kv);
    next += count;
  }
  require(next == g.heads, "queryHeads: the counts add up to {}, want heads={}", next, g.heads);
}

/// Ranks whose KV range ends after `kvHead`, from the first on: both ends ascend with the rank, so a bisection finds
/// it.
auto firstEndingAfter(const std::vector<Range>& kv, int64_t kvHead) {
  return std::partition_point(kv.begin(), kv.end(), [&](const Range& range) { return range.end() <= kvHead; });
}

}  // namespace

int64_t HeadSplit::localGroupSize(int rank) const {
  const size_t r = static_cast<size_t>(rank);
  return kv[r].count ? query[r].count / kv[r].count : 1;
}

int64_t HeadSplit::firstHolder(int64_t kvHead) const {
  auto at = firstEndingAfter(kv, kvHead);
  while (at != kv.end() && at->count == 0) ++at;
  return at - kv.begin();
}

int64_t HeadSplit::holderCount(int64_t kvHead) const {
  int64_t count = 0;
  for (auto at = firstEndingAfter(kv, kvHead); at != kv.end() && (at->count == 0 || at->begin <= kvHead); ++at)
    count += at->count != 0 && at->end() > kvHead;
  return count;
}

int64_t HeadSplit::firstSharedKvHead() const {
  for (size_t rank = 1; rank < kv.size(); ++rank)
    if (kv[rank].count && kv[rank - 1].end() > kv[rank].begin) return kv[rank].begin;
  return -1;
}

double HeadSplit::imbalance() const {
  int64_t largest = 0, total = 0;
  for (const Range& range : query) {
    largest = std::max(largest, range.count);
    total += range.count;
  }
  return static_cast<double>(largest) * static_cast<double>(query.size()) / static_cast<double>(total);
}

HeadSplit splitHeads(const Geometry& geometry) {
  HeadSplit split;
  split.query.reserve(static_cast<size_t>(geometry.nRanks));
  split.kv.reserve(static_cast<size_t>(geometry.nRanks));
  if (!geometry.queryHeads.empty())
    takeExplicitHeads(geometry, split);
  else if (geometry.kvHeads >= geometry.nRanks)
    dealKvHeads(geometry, split);
  else
    shareKvHeads(geometry, split);
  return split;
}

}  // namespace ulysses
