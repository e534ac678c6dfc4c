// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/device/pieces.h"
#include "kernels/device/schedule.h"
#include "kernels/device/vector.h"

namespace ulysses::device {

/// Loads that a thread has in flight before its first store.
inline constexpr uint32_t kInFlight = 4;

/// Where a peer's tensor is for this rank. The letter was checked when it came.
ULYSSES_HOST_DEVICE inline std::byte* addressOf(const Arguments& call, int peer, const TensorPlace& place) {
  return call.segments[static_cast<uint32_t>(peer) * call.segmentsPerRank + place.segment].base + place.offset;
}

/// Where a box's rows are copied from, or to.
template <typename Byte>
struct End {
  Byte* firstRow;
  const int64_t (&strides)[4];
};

/// Where an address is not one of vectors.
template <typename Machine>
ULYSSES_HOST_DEVICE void copyNarrow(const Machine& machine, const Rows& rows, uint32_t first, uint32_t end,
                                    End<const std::byte> from, End<std::byte> to, uint32_t alignment) {
  for (uint32_t i = first + machine.thread(); i < end; i += machine.threads()) {
    const Place at = placeOf(rows, i);
    copyPiece(to.firstRow + offsetOf(at, to.strides), from.firstRow + offsetOf(at, from.strides), at.bytes, alignment);
  }
}

/// Without a branch all loads are under way before the first store, and between them nothing of `rows` or strides is
/// read again, as it would be behind a branch.
template <typename Machine>
ULYSSES_HOST_DEVICE void copyVectors(const Machine& machine, const Rows& rows, uint32_t first, uint32_t end,
                                     End<const std::byte> from, End<std::byte> to) {
  const uint32_t threads = machine.threads();
  for (uint32_t i = first + machine.thread(); i < end; i += kInFlight * threads) {
    Vector loaded[kInFlight];
    int64_t target[kInFlight];
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k) {
      const Place at = placeBefore(end, rows, i + k * threads);
      loaded[k] = loadVector(from.firstRow + offsetOf(at, from.strides));
      target[k] = offsetOf(at, to.strides);
    }
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k)
      if (i + k * threads < end) storeVector(to.firstRow + target[k], loaded[k]);
  }
}

/// The pieces [first, end) of a box, by all threads of a block. What divides the strides and rows divides `alignments`.
template <typename Machine>
ULYSSES_HOST_DEVICE void copyPieces(const Machine& machine, const Rows& rows, uint32_t first, uint32_t end,
                                    End<const std::byte> from, End<std::byte> to, uint64_t alignments) {
  const uint32_t alignment = alignmentOf(alignments | bitsOf(from.firstRow) | bitsOf(to.firstRow));
  if (alignment >= kPieceBytes)
    copyVectors(machine, rows, first, end, from, to);
  else
    copyNarrow(machine, rows, first, end, from, to, alignment);
}

/// This block's share of what goes to one peer, the rank itself included.
template <typename Machine>
ULYSSES_HOST_DEVICE void pushTo(const Arguments& call, const Machine& machine, const Board& board, int peer) {
  const Work& work = call.work;
  const PushBox* boxes = work.pushes + work.firstPush[peer];
  const uint32_t n = work.firstPush[peer + 1] - work.firstPush[peer];
  const Letter& letter = board.from(peer).letter;
  const Slab slab =
      slabOf(work.pushTiles[peer], slotOf(machine.block(), peer, machine.blocks(), call.nRanks), machine.blocks());
  forEachTile(boxes, n, slab, work.tilePieces, [&](const PushBox& box, uint32_t first, uint32_t end) {
    const TensorPlace& place = letter.tensors[box.tensor];
    std::byte* const output = peer == call.rank ? call.outputs[box.tensor] : addressOf(call, peer, place);
    copyPieces(machine, box.rows, first, end, {call.inputs[box.tensor] + box.sourceOffset, box.sourceStrides},
               {output + offsetOf(box.destination, place.strides), place.strides}, box.alignment | place.alignment);
  });
}

template <typename Machine>
ULYSSES_HOST_DEVICE void push(const Arguments& call, const Machine& machine, const Board& board) {
  for (int step = 0; step < call.nRanks; ++step) {
    const int peer = peerAt(call.rank, machine.block(), step, call.nRanks);
    if (call.phase == Phase::kAll || peer == call.rank) pushTo(call, machine, board, peer);
  }
}

}  // namespace ulysses::device
