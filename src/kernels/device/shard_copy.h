// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Copies of tensors by one GPU: between memory that peers cannot map and its shadow, which they can, and between memory
// of the GPU and its image in the host's.
#pragma once
#include "kernels/device/lease.h"
#include "kernels/device/push.h"

namespace ulysses::device {

/// Rows of a tensor, from one place to another that has the same strides; what lies between the rows is not touched.
struct ShardCopy {
  Rows rows;
  TensorPlace place;  // of it strides and alignment
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
};

/// Of one launch; a kernel gets it by value.
struct ShardCopies {
  Lease lease;
  ShardCopy copies[kTensors];
  uint32_t n = 0, tiles = 0, tilePieces = 0;
  const uint32_t* unless = nullptr;  // not null: nothing is copied when the word, of the same stream, is not 0
};

/// One row, of any alignment.
inline ShardCopies oneRow(std::byte* to, const std::byte* from, uint32_t bytes) {
  const uint32_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  ShardCopies one;
  one.n = one.tiles = 1;
  one.tilePieces = pieces;
  one.copies[0].rows = {.piecesPerRow = Divisor(pieces),
                        .heads = Divisor(1),
                        .groups = Divisor(1),
                        .batch = Divisor(1),
                        .rowBytes = bytes,
                        .pieces = pieces};
  one.copies[0].from = from;
  one.copies[0].to = to;
  return one;
}

/// Every thread of every block of one launch runs this.
template <typename Machine>
ULYSSES_HOST_DEVICE void copyShards(const ShardCopies& call, const Machine& machine) {
  if (!isLive(call.lease, machine)) return;
  if (call.unless != nullptr && *call.unless != 0) return;
  const Slab slab = slabOf(call.tiles, machine.block(), machine.blocks());
  forEachTile(call.copies, call.n, slab, call.tilePieces, [&](const ShardCopy& copy, uint32_t first, uint32_t end) {
    const auto& strides = copy.place.strides;
    copyPieces(machine, copy.rows, first, end, {copy.from, strides}, {copy.to, strides}, copy.place.alignment);
  });
}

}  // namespace ulysses::device
