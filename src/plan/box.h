// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "plan/distribution.h"

namespace ulysses {

/// What one rank's sequence shard and another's head shard of a tensor have in common, in logical coordinates: it says
/// nothing of layouts, so both ends of a transfer enumerate the same boxes in the same order whatever their strides.
struct Box {
  int32_t tensor = 0;
  int64_t tokens = 0, groups = 0, heads = 0;  // extents; the batch is always whole
  int64_t seqToken = 0, gatheredToken = 0;    // first token: in the sequence shard, in the head shard
  int64_t seqGroup = 0, seqHead = 0;          // first KV group and head in group, in the sequence shard
  int64_t headGroup = 0;                      // first KV group in the head shard (its head is always 0 of the box)

  int64_t rows(int64_t batch) const { return tokens * batch * groups * heads; }
};

/// Whether several ranks hold the same head of this tensor and their values must be added on the way back.
inline bool isReplicated(const Distribution& d, TensorKind kind, int64_t head) {
  return kind == TensorKind::Kv && d.heads.holderCount(head) > 1;
}

/// Calls fn(box) for the heads of one rank as boxes without tokens. `byHead`: one box per KV head (for sums, whose unit
/// is a head); else as few boxes as the grouping of the sequence shard allows.
template <typename Fn>
void forEachHeadBox(const Geometry& g, const HeadSplit& split, TensorKind kind, int headRank, bool byHead, Fn&& fn) {
  const Range range = split.of(kind)[static_cast<size_t>(headRank)];
  if (range.count == 0) return;
  const auto box = [&](int64_t groups, int64_t heads, int64_t seqGroup, int64_t seqHead, int64_t headGroup) {
    fn(Box{.groups = groups, .heads = heads, .seqGroup = seqGroup, .seqHead = seqHead, .headGroup = headGroup});
  };
  if (kind == TensorKind::Kv) {
    if (!byHead) return box(range.count, 1, range.begin, 0, 0);
    for (int64_t i = 0; i < range.count; ++i) box(1, 1, range.begin + i, 0, i);
    return;
  }
  const int64_t groupSize = g.groupSize(), local = split.localGroupSize(headRank);
  if (local == groupSize) return box(range.count / groupSize, groupSize, range.begin / groupSize, 0, 0);
  // Part of one group, or equal parts of two neighbours: the sequence shard's group stride does not join them.
  for (int64_t done = 0; done < range.count; done += local)
    box(1, local, (range.begin + done) / groupSize, (range.begin + done) % groupSize, done / local);
}

/// Calls fn(box) for everything that seqRank's sequence shard and headRank's head shard of the tensor share, in
/// canonical order: by heads, then runs of tokens. Boxes without rows are left out.
template <typename Fn>
void forEachBox(const Geometry& g, const Distribution& d, int32_t tensor, TensorKind kind, bool byHead, int seqRank,
                int headRank, Fn&& fn) {
  if (g.batch == 0) return;
  forEachHeadBox(g, d.heads, kind, headRank, byHead, [&](Box box) {
    box.tensor = tensor;
    for (const TokenRun& run : d.tokens.of(seqRank)) {
      box.tokens = run.count;
      box.seqToken = run.local;
      box.gatheredToken = run.global;
      fn(box);
    }
  });
}

}  // namespace ulysses
