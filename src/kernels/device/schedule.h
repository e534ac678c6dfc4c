// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which thread block takes which tiles.
#pragma once
#include <cstdint>

#include "kernels/device/portable.h"
#include "kernels/device/work.h"

namespace ulysses::device {

struct Slab {
  uint32_t begin, end;
};

/// An equal share of the tiles, contiguous: a block's stores go to one place after the other.
ULYSSES_HOST_DEVICE inline Slab slabOf(uint32_t tiles, uint32_t slot, uint32_t slots) {
  const auto at = [&](uint32_t i) { return static_cast<uint32_t>(static_cast<uint64_t>(tiles) * i / slots); };
  return {at(slot), at(slot + 1)};
}

/// The peer of a block's `step`: blocks begin at different peers, and ranks too, so that at any time all links are in
/// use and no peer is written to by all.
ULYSSES_HOST_DEVICE inline int peerAt(int rank, uint32_t block, int step, int nRanks) {
  return static_cast<int>((static_cast<uint32_t>(rank + 1 + step) + block) % static_cast<uint32_t>(nRanks));
}

/// The share a block has of a peer's tiles: where there are fewer tiles than blocks, another block for each peer.
ULYSSES_HOST_DEVICE inline uint32_t slotOf(uint32_t block, int peer, uint32_t blocks, int nRanks) {
  const uint64_t shift = static_cast<uint64_t>(peer) * blocks / static_cast<uint32_t>(nRanks);
  return static_cast<uint32_t>((block + shift) % blocks);
}

/// The last of `n` boxes whose first tile is not above `tile`.
template <typename Box>
ULYSSES_HOST_DEVICE uint32_t boxOfTile(const Box* boxes, uint32_t n, uint32_t tile) {
  uint32_t low = 0, high = n;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    (boxes[middle].rows.firstTile <= tile ? low : high) = middle;
  }
  return low;
}

/// Calls fn(box, first piece, end) for the tiles of a slab.
template <typename Box, typename Fn>
ULYSSES_HOST_DEVICE void forEachTile(const Box* boxes, uint32_t n, Slab slab, uint32_t tilePieces, Fn&& fn) {
  if (slab.begin == slab.end) return;
  uint32_t at = boxOfTile(boxes, n, slab.begin);
  for (uint32_t tile = slab.begin; tile < slab.end; ++tile) {
    if (at + 1 < n && boxes[at + 1].rows.firstTile == tile) ++at;
    const Rows& rows = boxes[at].rows;
    const uint32_t first = (tile - rows.firstTile) * tilePieces;
    const uint32_t left = rows.pieces - first;
    fn(boxes[at], first, first + (left < tilePieces ? left : tilePieces));
  }
}

}  // namespace ulysses::device
