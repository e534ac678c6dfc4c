// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/token_split.h"

#include <algorithm>

#include "base/check.h"

namespace ulysses {
namespace {

/// Appends runs of one rank after another, joining those that touch on both sides.
class Builder {
 public:
  explicit Builder(TokenSplit& split) : split_(split) { split_.firstRun.push_back(0); }

  void add(int64_t global, int64_t count) {
    if (count == 0) return;
    const bool first = std::ssize(split_.runs) == split_.firstRun.back();
    if (!first && split_.runs.back().global + split_.runs.back().count == global)
      split_.runs.back().count += count;
    else
      split_.runs.push_back({local_, global, count});
    local_ += count;
  }
  void endRank() {
    split_.firstRun.push_back(std::ssize(split_.runs));
    split_.tokens.push_back(std::exchange(local_, 0));
  }

 private:
  TokenSplit& split_;
  int64_t local_ = 0;
};

void requireCuSeqlens(const Geometry& g) {
  if (g.cuSeqlens.empty()) return;
  require(g.cuSeqlens.size() >= 2, "cuSeqlens: want nSequences + 1 >= 2 entries, got {}", g.cuSeqlens.size());
  require(g.cuSeqlens.front() == 0, "cuSeqlens[0]={}: want 0", g.cuSeqlens.front());
  require(g.cuSeqlens.back() == g.sequence, "cuSeqlens[{}]={}: want sequence={}", g.cuSeqlens.size() - 1,
          g.cuSeqlens.back(), g.sequence);
  for (size_t i = 1; i < g.cuSeqlens.size(); ++i)
    require(g.cuSeqlens[i] >= g.cuSeqlens[i - 1], "cuSeqlens[{}]={}: want at least cuSeqlens[{}]={}", i, g.cuSeqlens[i],
            i - 1, g.cuSeqlens[i - 1]);
}

void addChunk(Builder& builder, int64_t begin, int64_t length, int64_t chunks, int64_t i) {
  const int64_t base = length / chunks, extra = length % chunks;
  builder.add(begin + i * base + std::min(i, extra), base + (i < extra ? 1 : 0));
}

TokenSplit zigzag(const Geometry& g) {
  const int64_t whole[] = {0, g.sequence};
  const std::span<const int64_t> ends = g.cuSeqlens.empty() ? std::span<const int64_t>(whole) : g.cuSeqlens;
  TokenSplit split;
  Builder builder(split);
  const int64_t chunks = 2 * int64_t{g.nRanks};
  for (int rank = 0; rank < g.nRanks; ++rank) {
    for (size_t i = 0; i + 1 < ends.size(); ++i) {
      addChunk(builder, ends[i], ends[i + 1] - ends[i], chunks, rank);
      addChunk(builder, ends[i], ends[i + 1] - ends[i], chunks, chunks - 1 - rank);
    }
    builder.endRank();
  }
  for (size_t rank = 0; rank < g.tokens.size(); ++rank)
    require(g.tokens[rank] == split.tokens[rank],
            "tokens[{}]={}: the zigzag order gives rank {} {} tokens of sequence={}", rank, g.tokens[rank], rank,
            split.tokens[rank], g.sequence);
  return split;
}

TokenSplit contiguous(const Geometry& g) {
  require(!g.tokens.empty() || g.sequence % g.nRanks == 0,
          "sequence={} is not a multiple of {} ranks; pass the tokens of every rank, or pad to {}", g.sequence,
          g.nRanks, (g.sequence / g.nRanks + 1) * g.nRanks);
  TokenSplit split;
  Builder builder(split);
  int64_t next = 0;
  for (int rank = 0; rank < g.nRanks; ++rank) {
    const int64_t count = g.tokens.empty() ? g.sequence / g.nRanks : g.tokens[static_cast<size_t>(rank)];
    require(count >= 0 && count <= g.sequence - next, "tokens[{}]={}: want 0..{} (sequence={}, {} at lower ranks)",
            rank, count, g.sequence - next, g.sequence, next);
    builder.add(next, count);
    builder.endRank();
    next += count;
  }
  require(next == g.sequence, "tokens: the counts add up to {}, want sequence={}", next, g.sequence);
  return split;
}

}  // namespace

TokenSplit splitTokens(const Geometry& geometry) {
  requireCuSeqlens(geometry);
  return geometry.order == SequenceOrder::Zigzag ? zigzag(geometry) : contiguous(geometry);
}

}  // namespace ulysses
