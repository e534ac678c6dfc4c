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

/// The pieces [first, end) of a box to a peer, by all threads of a block.
template <typename Machine>
ULYSSES_HOST_DEVICE void pushPieces(const Machine& machine, const PushBox& box, uint32_t first, uint32_t end,
                                    const std::byte* from, std::byte* to, const TensorPlace& place) {
  const uint32_t alignment = alignmentOf(place.alignment | box.alignment | bitsOf(from) | bitsOf(to));
  const uint32_t threads = machine.threads();
  if (alignment < kPieceBytes) {
    for (uint32_t i = first + machine.thread(); i < end; i += threads) {
      const Place at = placeOf(box.rows, i);
      copyPiece(to + offsetOf(at, place.strides), from + offsetOf(at, box.sourceStrides), at.bytes, alignment);
    }
    return;
  }
  for (uint32_t i = first + machine.thread(); i < end; i += kInFlight * threads) {
    Vector loaded[kInFlight];
    int64_t target[kInFlight];
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k) {
      if (i + k * threads >= end) continue;
      const Place at = placeOf(box.rows, i + k * threads);
      loaded[k] = loadVector(from + offsetOf(at, box.sourceStrides));
      target[k] = offsetOf(at, place.strides);
    }
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k)
      if (i + k * threads < end) storeVector(to + target[k], loaded[k]);
  }
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
    pushPieces(machine, box, first, end, call.inputs[box.tensor] + box.sourceOffset,
               output + offsetOf(box.destination, place.strides), place);
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
