// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Many strided copies as one pass over them: what packs and unpacks on a GPU. The arithmetic of indices is here, so
// that CPUs can be shown to do the same as the kernel (perf/cuda/strided.cu).
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define ULYSSES_PERF_BOTH __host__ __device__
#else
#define ULYSSES_PERF_BOTH
#endif

namespace ulysses::perf {

// Threads of a block, and units that each moves at once: all loads are in flight before the first store.
constexpr uint32_t kTileThreads = 256, kUnitsInFlight = 4;
constexpr uint32_t kTileUnits = kTileThreads * kUnitsInFlight;

// n / d for n < 2^31 by a multiplication and a shift (Granlund and Montgomery, PLDI 1994, theorem 4.2).
struct Quotient {
  uint64_t multiplier = 0;
  uint32_t shift = 0;

  static Quotient by(uint32_t divisor) {
    uint32_t bits = 0;
    while ((uint64_t{1} << bits) < divisor) ++bits;
    const uint64_t power = uint64_t{1} << (31 + bits);
    return {(power + divisor - 1) / divisor, 31 + bits};
  }
  ULYSSES_PERF_BOTH uint32_t of(uint32_t n) const { return static_cast<uint32_t>(n * multiplier >> shift); }
};

// planes x rows runs of neighbouring units; distances in bytes. Fewer than 2^31 units.
struct StridedBox {
  int64_t source, sourcePlane, sourceRow;
  int64_t target, targetPlane, targetRow;
  uint32_t units;                     // of the whole box
  uint32_t firstTile;                 // tiles of all boxes before it
  uint32_t unitsOfPlane, unitsOfRow;  // units of one
  Quotient byPlane, byRow;
};

struct Place {
  int64_t source, target;
};

ULYSSES_PERF_BOTH inline Place placeOf(const StridedBox& box, uint32_t unit, int64_t unitBytes) {
  const uint32_t plane = box.byPlane.of(unit), inPlane = unit - plane * box.unitsOfPlane;
  const uint32_t row = box.byRow.of(inPlane);
  const int64_t inRow = (inPlane - row * box.unitsOfRow) * unitBytes;
  return {box.source + plane * box.sourcePlane + row * box.sourceRow + inRow,
          box.target + plane * box.targetPlane + row * box.targetRow + inRow};
}

// The box that a tile is of: the last that does not begin behind it.
ULYSSES_PERF_BOTH inline uint32_t boxOf(const StridedBox* boxes, uint32_t nBoxes, uint32_t tile) {
  uint32_t low = 0;
  for (uint32_t high = nBoxes; high - low > 1;) {
    const uint32_t middle = low + (high - low) / 2;
    if (boxes[middle].firstTile <= tile)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// All boxes of a pass. `boxes` is where whoever carries it out can read them.
struct StridedPass {
  const StridedBox* boxes = nullptr;
  uint32_t nBoxes = 0, tiles = 0;
  int unitBytes = 1;  // 16, 8, 4, 2 or 1: what all addresses and lengths are multiples of
};

}  // namespace ulysses::perf
