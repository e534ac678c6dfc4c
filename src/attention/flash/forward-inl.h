// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Forward: keys and values are packed once, then tiles of queries go over the tiles of keys that they see, with the
// largest score and the sum of each row kept up to date (online softmax).
#if defined(ULYSSES_ATTENTION_FORWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_FORWARD_INL_H_
#undef ULYSSES_ATTENTION_FORWARD_INL_H_
#else
#define ULYSSES_ATTENTION_FORWARD_INL_H_
#endif

#include "attention/flash/carver.h"
#include "attention/flash/softmax-inl.h"
#include "attention/flash/workers.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

template <class Product>
class Forward {
 public:
  explicit Forward(const ulyssesLocalAttention_t& problem)
      : problem_(problem),
        mask_(problem),
        size_(problem),
        packs_(problem.batch * problem.kvHeads * size_.keyTiles),
        tiles_(problem.batch * problem.heads * size_.queryTiles) {
    Carver carver(problem.workspace);
    keys_ = carver.take<Unit>(packs_.count() * keyPack());
    values_ = carver.take<Unit>(packs_.count() * valuePack());
    sharedBytes_ = carver.bytes();
    Carver counter(nullptr);
    Scratch(size_, counter);
    scratchBytes_ = counter.bytes();
  }

  size_t workspaceBytes() const { return sharedBytes_ + static_cast<size_t>(problem_.threads) * scratchBytes_; }

  /// More workers than these have nothing to do.
  int64_t items() const { return tiles_.count(); }

  /// What one worker does of the whole problem.
  void work(int worker) {
    Carver carver(static_cast<std::byte*>(problem_.workspace) + sharedBytes_ +
                  static_cast<size_t>(worker) * scratchBytes_);
    Scratch scratch(size_, carver);
    for (int64_t item; (item = packs_.take()) >= 0; packs_.done()) pack(item);
    packs_.waitForAll();
    for (int64_t item; (item = tiles_.take()) >= 0;) computeTile(item, scratch);
  }

 private:
  using Element = typename Product::Element;
  using Stored = typename Product::Stored;
  using Unit = typename Product::Unit;

  struct Scratch {
    Scratch(const Size<Product>& size, Carver& carver)
        : queries(carver.take<Unit>(kQueries * size.headStride)),
          scores(carver.take<float>(kQueries * kScoreStride)),
          narrow(carver.take<Unit>(Product::kNarrows ? kQueries * kScoreStride / Product::kPerUnit : 0)),
          sums(carver.take<float>(kQueries * size.valueColumns)) {}
    Unit* queries;
    float* scores;
    Unit* narrow;  // probabilities as operand
    float* sums;   // of probability times value
    TileMask tile;
    Running running[kQueries];
    float factors[kQueries];
  };
  /// A tile of queries of one head.
  struct Place {
    int64_t batch, head;
    Range queries;
    int64_t rows() const { return queries.end - queries.begin; }
    int64_t blocks() const { return (rows() + kMr - 1) / kMr; }
  };

  int64_t keyPack() const { return kKeys * size_.headUnits; }
  int64_t valuePack() const { return unitsOf<Product>(kKeys) * size_.valueColumns; }
  int64_t kvHeadOf(int64_t head) const { return head / (problem_.heads / problem_.kvHeads); }
  /// Which pack has a tile of keys.
  int64_t packOf(int64_t batch, int64_t kvHead, int64_t tile) const {
    return (batch * problem_.kvHeads + kvHead) * size_.keyTiles + tile;
  }

  void pack(int64_t item) {
    const int64_t tile = item % size_.keyTiles, head = item / size_.keyTiles % problem_.kvHeads;
    const int64_t batch = item / size_.keyTiles / problem_.kvHeads;
    const Range keys = tileAt(tile, kKeys, problem_.sequence);
    packColumns<Product>(rowsOf<Stored>(problem_.key, keys, batch, head, problem_.headDim), kKeys,
                         keys_ + item * keyPack());
    packDepth<Product>(rowsOf<Stored>(problem_.value, keys, batch, head, problem_.vHeadDim), kKeys,
                       values_ + item * valuePack());
  }

  /// The last tiles of a head first: under a causal mask they are the longest.
  void computeTile(int64_t item, Scratch& scratch) const {
    const int64_t tile = size_.queryTiles - 1 - item % size_.queryTiles, head = item / size_.queryTiles;
    const Place place{head / problem_.heads, head % problem_.heads, tileAt(tile, kQueries, problem_.sequence)};
    packLeft<Product>(rowsOf<Stored>(problem_.query, place.queries, place.batch, place.head, problem_.headDim),
                      place.blocks() * kMr, scratch.queries, size_.headStride);
    clear(scratch.sums, 0, kQueries * size_.valueColumns);
    std::fill_n(scratch.running, kQueries, Running{});
    const Range seen = mask_.seenByAny(place.queries);
    for (int64_t keys = seen.begin / kKeys; keys * kKeys < seen.end; ++keys) addKeys(place, keys, scratch);
    finish(place, scratch);
  }

  void addKeys(const Place& place, int64_t keyTile, Scratch& scratch) const {
    const Range keys = tileAt(keyTile, kKeys, problem_.sequence);
    const int64_t pack = packOf(place.batch, kvHeadOf(place.head), keyTile), blocks = place.blocks();
    TileMask& tile = scratch.tile;
    describe(mask_, place.queries, keys, tile);
    multiplyColumns<Product>({scratch.queries, size_.headStride, 1}, keys_ + pack * keyPack(), size_.headUnits, kKeys,
                             blocks, tile.seenByBlock, scratch.scores, kScoreStride,
                             static_cast<float>(problem_.scale * kLog2E));
    const float slope = problem_.slopes ? static_cast<float>(problem_.slopes[place.head] * kLog2E) : 0;
    const auto advance = advanceRowsFor(tile.whole, slope != 0);
    advance(scratch.scores, tile, blocks * kMr, slope, static_cast<float>(keys.begin - place.queries.begin),
            scratch.running, scratch.factors);
    const auto values = rowsOf<Stored>(problem_.value, keys, place.batch, kvHeadOf(place.head), problem_.vHeadDim);
    if (!tile.whole && !allFinite<Element>(values)) return addSeenOnly(place.rows(), values, scratch);
    multiplyDepths<Product>(straight<Product>(scratch.scores, blocks * kMr, scratch.narrow),
                            values_ + pack * valuePack(), unitsOf<Product>(kKeys) * kNr, size_.valueColumns, blocks,
                            tile.seenByBlock, scratch.sums, size_.valueColumns, Rescale{scratch.factors});
  }

  /// A value that is not finite must not reach, times 0, a query that does not see it.
  void addSeenOnly(int64_t rows, const Rows<Stored>& values, Scratch& scratch) const {
    for (int64_t i = 0; i < rows; ++i) {
      float* const sums = scratch.sums + i * size_.valueColumns;
      for (int64_t d = 0; d < size_.valueColumns; d += kLanes)
        store(hn::Mul(load(sums + d), all(scratch.factors[i])), sums + d);
      const Range seen = scratch.tile.seen[i];
      for (int64_t key = seen.begin; key < seen.end; ++key)
        addRow<Element>(sums, scratch.scores[i * kScoreStride + key], values.row(key), values.width);
    }
  }

  void finish(const Place& place, Scratch& scratch) const {
    const float sink = problem_.sinks ? problem_.sinks[place.head] : -kInfinity;
    for (int64_t i = 0; i < place.rows(); ++i) {
      const int64_t token = place.queries.begin + i;
      const Outcome outcome = outcomeOf(scratch.running[i], sink, mask_.seenBy(token).empty());
      writeRow<Element>(scratch.sums + i * size_.valueColumns, outcome.factor,
                        at<Stored>(problem_.output, token, place.batch, place.head), problem_.vHeadDim);
      *at<float>(problem_.lse, token, place.batch, place.head) = outcome.lse;
    }
  }

  const ulyssesLocalAttention_t& problem_;
  const Mask mask_;
  const Size<Product> size_;
  Items packs_, tiles_;
  Unit *keys_, *values_;  // packed: as columns, as depth
  size_t sharedBytes_, scratchBytes_;
};

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
