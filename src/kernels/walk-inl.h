// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The order in which a kernel visits the bytes of its rows. A core's hardware prefetchers follow several streams at
// once, and one stream alone leaves memory bandwidth unused: so several rows (lanes), or several stretches of one long
// row, advance together, a chunk of each in turn. Measured in docs/perf.md: 10-25 % over one row at a time.
//
// Op is passed by value: its fields then stay in registers, where a reference would have them loaded again after every
// store of bytes, which may alias anything. It provides:
//   kLanes                     how many advance together
//   Lane lane(row, offset)     a position; chunks follow from it
//   chunk(lane, at)            kChunk bytes at lane + at; the destination is at a line when head() was obeyed
//   run(row, offset, bytes)    any bytes of one row, in order
//   prefetch(row, bytes)       fetches the sources of a row's first bytes, kAhead bytes of rows before run takes it
//   head(row)                  bytes of the row before its destination's first whole line
#if defined(ULYSSES_KERNELS_WALK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_KERNELS_WALK_INL_H_
#undef ULYSSES_KERNELS_WALK_INL_H_
#else
#define ULYSSES_KERNELS_WALK_INL_H_
#endif

#include <algorithm>

#include "kernels/lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::kernels::HWY_NAMESPACE {

// Below this, a hardware prefetcher has hardly learnt a row's stream when it ends: rows go one after another, each
// fetched by instruction some rows ahead (1.2-1.7x over lanes for 512-byte rows, 0.6-0.7x for 4 KiB rows).
constexpr int64_t kShortRow = 2048;
// Distance between lanes of one long row. Streams learnt anew on every 4 KiB page run at 0.8 of this;
// more gains nothing.
constexpr int64_t kStretch = 65536;

/// Advances all lanes together by `bytes`, a multiple of kChunk.
template <class Op>
HWY_INLINE void walkLanes(const Op& op, const typename Op::Lane (&lanes)[Op::kLanes], int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kChunk) {
    for (int i = 0; i < Op::kLanes; ++i) op.chunk(lanes[i], at);
  }
}

/// Op::kLanes neighbouring stretches of `stride` bytes of one row, side by side.
template <class Op>
HWY_INLINE void walkStretches(const Op& op, int64_t row, int64_t offset, int64_t stride) {
  typename Op::Lane lanes[Op::kLanes];
  for (int i = 0; i < Op::kLanes; ++i) lanes[i] = op.lane(row, offset + i * stride);
  walkLanes(op, lanes, stride);
}

/// One row alone: long stretches side by side, then equal parts of what is left, then the rest.
template <class Op>
HWY_NOINLINE void walkRow(const Op op, int64_t row, int64_t rowBytes) {
  int64_t offset = std::min(op.head(row), rowBytes);
  op.run(row, 0, offset);
  for (; rowBytes - offset >= Op::kLanes * kStretch; offset += Op::kLanes * kStretch)
    walkStretches(op, row, offset, kStretch);
  const int64_t part = (rowBytes - offset) / Op::kLanes / kChunk * kChunk;
  if (part > 0) walkStretches(op, row, offset, part);
  offset += Op::kLanes * part;
  op.run(row, offset, rowBytes - offset);
}

/// Rows [first, first + Op::kLanes) side by side. Their destinations may be misaligned differently: each gets its own
/// head and tail, the lanes cover what all have in common. No row is shorter than a line.
template <class Op>
HWY_NOINLINE void walkGroup(const Op op, int64_t first, int64_t rowBytes) {
  typename Op::Lane lanes[Op::kLanes];
  int64_t longestHead = 0;
  for (int i = 0; i < Op::kLanes; ++i) {
    const int64_t head = op.head(first + i);
    op.run(first + i, 0, head);
    lanes[i] = op.lane(first + i, head);
    longestHead = std::max(longestHead, head);
  }
  const int64_t body = (rowBytes - longestHead) / kChunk * kChunk;
  walkLanes(op, lanes, body);
  for (int i = 0; i < Op::kLanes; ++i) {
    const int64_t done = op.head(first + i) + body;
    op.run(first + i, done, rowBytes - done);
  }
}

/// Rows too short for lanes.
template <class Op>
HWY_NOINLINE void walkShortRows(const Op op, int64_t rows, int64_t rowBytes) {
  const int64_t ahead = Op::kAhead / std::max(rowBytes, kLine);
  for (int64_t row = 0; row < rows; ++row) {
    if (row + ahead < rows) op.prefetch(row + ahead, rowBytes);
    op.run(row, 0, rowBytes);
  }
}

template <class Op>
HWY_INLINE void walkRows(const Op op, int64_t rows, int64_t rowBytes) {
  if (rowBytes < kShortRow) return walkShortRows(op, rows, rowBytes);
  int64_t row = 0;
  if (Op::kLanes > 1) {
    for (; row + Op::kLanes <= rows; row += Op::kLanes) walkGroup(op, row, rowBytes);
  }
  for (; row < rows; ++row) walkRow(op, row, rowBytes);
}

}  // namespace ulysses::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
