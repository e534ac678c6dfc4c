// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A tile: kQueries tokens of the queries and kKeys of the keys, and what the mask leaves of it.
#if defined(ULYSSES_ATTENTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_TILE_INL_H_
#undef ULYSSES_ATTENTION_TILE_INL_H_
#else
#define ULYSSES_ATTENTION_TILE_INL_H_
#endif

#include "attention/flash/pack-inl.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

// Both are multiples of kMr and kNr on every instruction set. Larger tiles would not fit 1 MiB of cache with all that
// the backward pass keeps there; smaller ones pack more often for the same work.
constexpr int64_t kQueries = 96;
constexpr int64_t kKeys = 192;
static_assert(kQueries % kMr == 0 && kKeys % kMr == 0 && kQueries % kNr == 0 && kKeys % kNr == 0);
// Rows of scores; not a power of two, so that a column of them does not crowd a few sets of a cache.
constexpr int64_t kScoreStride = kKeys + 16;

inline Range tileAt(int64_t index, int64_t size, int64_t tokens) {
  return {index * size, std::min((index + 1) * size, tokens)};
}

/// Sizes that follow from a problem: tiles, and operands in units.
template <class Product>
struct Size {
  explicit Size(const ulyssesLocalAttention_t& problem)
      : queryTiles((problem.sequence + kQueries - 1) / kQueries),
        keyTiles((problem.sequence + kKeys - 1) / kKeys),
        headUnits(unitsOf<Product>(problem.headDim)),
        valueUnits(unitsOf<Product>(problem.vHeadDim)),
        headColumns(roundUp(problem.headDim, kNr)),
        valueColumns(roundUp(problem.vHeadDim, kNr)),
        headStride(leftStride(headUnits)),
        valueStride(leftStride(valueUnits)) {}

  int64_t queryTiles, keyTiles;
  int64_t headUnits, valueUnits;      // of a row
  int64_t headColumns, valueColumns;  // of a row, with those that fill the last panel
  int64_t headStride, valueStride;    // between the rows of a left operand

 private:
  static int64_t leftStride(int64_t units) { return roundUp(units, kLanes) + 16; }
};

/// Token `token` of head `head` of a tensor.
template <class Stored>
HWY_INLINE Stored* at(const ulyssesLocalTensor_t& tensor, int64_t token, int64_t batch, int64_t head) {
  return static_cast<Stored*>(tensor.data) + token * tensor.sequence + batch * tensor.batch + head * tensor.head;
}
template <class Stored>
Rows<Stored> rowsOf(const ulyssesLocalTensor_t& tensor, Range tokens, int64_t batch, int64_t head, int64_t width) {
  return {at<const Stored>(tensor, tokens.begin, batch, head), tensor.sequence, tokens.end - tokens.begin, width};
}

/// What queries of a tile see of its keys. All ranges count from the tile's first query and first key.
struct TileMask {
  bool whole;                         // every query sees kKeys keys
  Range seen[kQueries];               // keys, by query; empty for queries that are padding
  Range seenByBlock[kQueries / kMr];  // keys that any of kMr queries sees
  Range seersOfBlock[kKeys / kMr];    // queries that see any of kMr keys
};

HWY_INLINE void widenTo(Range& range, Range other) {
  range = range.empty() ? other : Range{std::min(range.begin, other.begin), std::max(range.end, other.end)};
}

void describeWhole(int64_t queries, TileMask& tile) {
  for (int64_t i = 0; i < kQueries; ++i) tile.seen[i] = {0, i < queries ? kKeys : 0};
  for (Range& keys : tile.seenByBlock) keys = {0, kKeys};
  for (Range& seers : tile.seersOfBlock) seers = {0, queries};
}

void describePart(const Mask& mask, Range queries, Range keys, TileMask& tile) {
  for (Range& range : tile.seenByBlock) range = {};
  for (Range& range : tile.seersOfBlock) range = {};
  for (int64_t i = 0; i < kQueries; ++i) {
    tile.seen[i] = {};
    if (queries.begin + i >= queries.end) continue;
    const Range seen = meet(mask.seenBy(queries.begin + i), keys);
    if (seen.empty()) continue;
    tile.seen[i] = {seen.begin - keys.begin, seen.end - keys.begin};
    widenTo(tile.seenByBlock[i / kMr], tile.seen[i]);
    for (int64_t block = tile.seen[i].begin / kMr; block * kMr < tile.seen[i].end; ++block)
      widenTo(tile.seersOfBlock[block], {i, i + 1});
  }
}

void describe(const Mask& mask, Range queries, Range keys, TileMask& tile) {
  tile.whole = mask.allSee(queries, {keys.begin, keys.begin + kKeys});
  if (tile.whole) {
    describeWhole(queries.end - queries.begin, tile);
  } else {
    describePart(mask, queries, keys, tile);
  }
}

HWY_INLINE void clear(float* row, int64_t begin, int64_t end) {
  for (; begin < end; begin += kLanes) store(hn::Zero(Floats()), row + begin);
}

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
