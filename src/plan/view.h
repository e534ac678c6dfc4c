// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "plan/box.h"

namespace ulysses {

/// Which of the two shards of an exchange a view addresses.
enum class Side { SequenceShard, HeadShard };

/// Where a box begins in a shard.
struct BoxStart {
  int64_t token, group, head;
};
inline BoxStart startOf(const Box& box, Side side) {
  if (side == Side::SequenceShard) return {box.seqToken, box.seqGroup, box.seqHead};
  return {box.gatheredToken, box.headGroup, 0};
}

/// A box as addressed in one rank's memory, in bytes relative to the tensor's pointer. Dimensions go from the slowest
/// to the fastest of the canonical order (tokens, batch, groups, heads); below them `runBytes` contiguous bytes.
struct View {
  static constexpr int kDims = 4;
  int64_t offset = 0;
  std::array<int64_t, kDims> n{1, 1, 1, 1};
  std::array<int64_t, kDims> stride{};
  int64_t runBytes = 0;

  int64_t bytes() const { return n[0] * n[1] * n[2] * n[3] * runBytes; }
};

/// The box at one end, uncoalesced.
View viewOf(const Box& box, Side side, const Geometry& geometry, const TensorSpec& tensor, const Strides& strides);

/// Joins neighbouring dimensions that are one in memory, canonical order kept: the bytes of the view in their order are
/// the same, in fewer and longer runs. For packing and unpacking.
View coalesce(View view);

/// Calls fn(offset, stride, rows, bytes) for the bytes [begin, end) of the view's canonical order: rows of `bytes`
/// contiguous bytes, `stride` apart in memory, first at `offset`.
template <typename Fn>
void forEachStrip(const View& view, int64_t begin, int64_t end, Fn&& fn) {
  while (begin < end) {
    int64_t index = begin / view.runBytes;
    const int64_t inRun = begin % view.runBytes;
    const int64_t inner = view.n[3], at = index % inner;
    int64_t offset = view.offset + inRun;
    for (int dim = View::kDims - 1; dim >= 0; --dim) {
      const size_t d = static_cast<size_t>(dim);
      offset += index % view.n[d] * view.stride[d];
      index /= view.n[d];
    }
    const int64_t left = end - begin;
    const bool partial = inRun != 0 || left < view.runBytes;
    const int64_t bytes = partial ? std::min(view.runBytes - inRun, left) : view.runBytes;
    const int64_t rows = partial ? 1 : std::min(left / view.runBytes, inner - at);
    fn(offset, view.stride[3], rows, bytes);
    begin += rows * bytes;
  }
}

}  // namespace ulysses
