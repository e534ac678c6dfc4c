// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Backward: a worker takes a tile of keys, whose gradients it keeps, and goes over the tiles of queries that see it,
// for each head that shares these keys. The gradient of a tile of queries is summed in the order of the tiles of keys,
// whoever computes them.
#if defined(ULYSSES_ATTENTION_BACKWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_BACKWARD_INL_H_
#undef ULYSSES_ATTENTION_BACKWARD_INL_H_
#else
#define ULYSSES_ATTENTION_BACKWARD_INL_H_
#endif

#include "attention/flash/carver.h"
#include "attention/flash/softmax-inl.h"
#include "attention/flash/workers.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

template <class Product>
class Backward {
 public:
  explicit Backward(const ulyssesLocalAttention_t& problem)
      : problem_(problem),
        mask_(problem),
        size_(problem),
        tiles_(problem.batch * problem.kvHeads * size_.keyTiles),
        sinks_(problem.sinks && problem.sinkGradients ? problem.heads : 0) {
    Carver carver(problem.workspace);
    const int64_t queryTiles = problem.batch * problem.heads * size_.queryTiles;
    sums_ = carver.take<float>(queryTiles * querySums());
    turns_ = carver.take<Turn>(queryTiles);
    sharedBytes_ = carver.bytes();
    Carver counter(nullptr);
    Scratch(size_, counter);
    scratchBytes_ = counter.bytes();
    for (int64_t i = 0; turns_ && i < queryTiles; ++i) new (turns_ + i) Turn;
  }

  size_t workspaceBytes() const { return sharedBytes_ + static_cast<size_t>(problem_.threads) * scratchBytes_; }

  /// More workers than these have nothing to do.
  int64_t items() const { return tiles_.count(); }

  /// What one worker does of the whole problem.
  void work(int worker) {
    Carver carver(static_cast<std::byte*>(problem_.workspace) + sharedBytes_ +
                  static_cast<size_t>(worker) * scratchBytes_);
    Scratch scratch(size_, carver);
    for (int64_t item; (item = tiles_.take()) >= 0;) computeTile(placeOf(item), scratch);
    for (int64_t head; (head = sinks_.take()) >= 0;) problem_.sinkGradients[head] = sinkGradient(head);
  }

 private:
  using Element = typename Product::Element;
  using Stored = typename Product::Stored;
  using Unit = typename Product::Unit;

  struct Scratch {
    Scratch(const Size<Product>& size, Carver& carver)
        : keyColumns(carver.take<Unit>(kKeys * size.headUnits)),
          keyDepth(carver.take<Unit>(unitsOf<Product>(kKeys) * size.headColumns)),
          valueColumns(carver.take<Unit>(kKeys * size.valueUnits)),
          queryLeft(carver.take<Unit>(kQueries * size.headStride)),
          queryDepth(carver.take<Unit>(unitsOf<Product>(kQueries) * size.headColumns)),
          outputLeft(carver.take<Unit>(kQueries * size.valueStride)),
          outputDepth(carver.take<Unit>(unitsOf<Product>(kQueries) * size.valueColumns)),
          scores(carver.take<float>(kQueries * kScoreStride)),
          slopes(carver.take<float>(kQueries * kScoreStride)),
          narrow(carver.take<Unit>(Product::kNarrows ? kQueries * kScoreStride / Product::kPerUnit : 0)),
          keySums(carver.take<float>(kKeys * size.headColumns)),
          valueSums(carver.take<float>(kKeys * size.valueColumns)) {}
    Unit *keyColumns, *keyDepth, *valueColumns;               // of the tile of keys
    Unit *queryLeft, *queryDepth, *outputLeft, *outputDepth;  // Q and dO of a tile of queries
    float *scores, *slopes;                                   // P, dS
    Unit* narrow;                                             // one of them as operand
    float *keySums, *valueSums;                               // dK, dV
    TileMask tile;
  };
  /// A tile of keys of one KV head.
  struct Place {
    int64_t batch, kvHead, tile;
    Range keys;
    int64_t rows() const { return keys.end - keys.begin; }
  };
  /// A tile of queries of one head that sees it.
  struct Seers {
    int64_t head, tile;
    Range queries;
    Range keyTiles;  // that it sees
    int64_t rows() const { return queries.end - queries.begin; }
    int64_t blocks() const { return (rows() + kMr - 1) / kMr; }
  };

  int64_t querySums() const { return kQueries * size_.headColumns; }

  /// As many heads at a time as there are workers: all first tiles of keys, then all second ones. So workers are at
  /// different heads and seldom wait for each other's turn, and what they read of these heads stays in the shared
  /// cache. An item waits for earlier items only, which others have taken.
  Place placeOf(int64_t item) const {
    const int64_t heads = problem_.batch * problem_.kvHeads, together = problem_.threads;
    const int64_t first = item / (together * size_.keyTiles) * together, here = std::min(together, heads - first);
    const int64_t index = item - first * size_.keyTiles, head = first + index % here, tile = index / here;
    return {head / problem_.kvHeads, head % problem_.kvHeads, tile, tileAt(tile, kKeys, problem_.sequence)};
  }

  void computeTile(const Place& place, Scratch& scratch) {
    packKeys(place, scratch);
    const int64_t group = problem_.heads / problem_.kvHeads;
    for (int64_t i = place.kvHead * group; i < (place.kvHead + 1) * group; ++i) {
      for (int64_t j = 0; j < size_.queryTiles; ++j) {
        const Range queries = tileAt(j, kQueries, problem_.sequence);
        const Seers seers{i, j, queries, keyTilesSeenBy(queries)};
        if (seers.keyTiles.covers({place.tile, place.tile + 1})) addQueries(place, seers, scratch);
      }
    }
    finish(place, scratch);
  }

  /// The first tile stands in for none: someone must write that the gradient is zero.
  Range keyTilesSeenBy(Range queries) const {
    const Range seen = mask_.seenByAny(queries);
    if (seen.empty()) return {0, 1};
    return {seen.begin / kKeys, (seen.end + kKeys - 1) / kKeys};
  }

  void packKeys(const Place& place, Scratch& scratch) const {
    const auto keys = rowsOf<Stored>(problem_.key, place.keys, place.batch, place.kvHead, problem_.headDim);
    packColumns<Product>(keys, kKeys, scratch.keyColumns);
    packDepth<Product>(keys, kKeys, scratch.keyDepth);
    packColumns<Product>(rowsOf<Stored>(problem_.value, place.keys, place.batch, place.kvHead, problem_.vHeadDim),
                         kKeys, scratch.valueColumns);
    clear(scratch.keySums, 0, kKeys * size_.headColumns);
    clear(scratch.valueSums, 0, kKeys * size_.valueColumns);
  }

  Rows<Stored> queriesOf(const Place& place, const Seers& seers) const {
    return rowsOf<Stored>(problem_.query, seers.queries, place.batch, seers.head, problem_.headDim);
  }
  Rows<Stored> outputsOf(const Place& place, const Seers& seers) const {
    return rowsOf<Stored>(problem_.outputGradient, seers.queries, place.batch, seers.head, problem_.vHeadDim);
  }

  void packQueries(const Place& place, const Seers& seers, Scratch& scratch) const {
    const int64_t padded = seers.blocks() * kMr;
    packLeft<Product>(queriesOf(place, seers), padded, scratch.queryLeft, size_.headStride);
    packDepth<Product>(queriesOf(place, seers), kQueries, scratch.queryDepth);
    packLeft<Product>(outputsOf(place, seers), padded, scratch.outputLeft, size_.valueStride);
    packDepth<Product>(outputsOf(place, seers), kQueries, scratch.outputDepth);
  }

  void addQueries(const Place& place, const Seers& seers, Scratch& scratch) {
    packQueries(place, seers, scratch);
    describe(mask_, seers.queries, place.keys, scratch.tile);
    computeSlopes(place, seers, scratch);
    const int64_t index = (place.batch * problem_.heads + seers.head) * size_.queryTiles + seers.tile;
    float* const sums = sums_ + index * querySums();
    const bool leaks = !scratch.tile.whole && !operandsFinite(place, seers);
    if (leaks) {
      addSeenOnly(place, seers, scratch);
    } else {
      addToKeys(seers, scratch);
    }
    turns_[index].await(static_cast<int32_t>(place.tile - seers.keyTiles.begin));
    const bool first = place.tile == seers.keyTiles.begin;
    if (leaks) {
      addSeenOnlyToQueries(place, seers, scratch, sums, first);
    } else {
      addToQueries(seers, scratch, sums, first);
    }
    if (place.tile + 1 == seers.keyTiles.end) finishQueries(place, seers, sums);
    turns_[index].pass();
  }

  /// P and dS = P * (dO V^T - delta) of a tile; 0 where nothing is seen.
  void computeSlopes(const Place& place, const Seers& seers, Scratch& scratch) const {
    const TileMask& tile = scratch.tile;
    multiplyColumns<Product>({scratch.queryLeft, size_.headStride, 1}, scratch.keyColumns, size_.headUnits, kKeys,
                             seers.blocks(), tile.seenByBlock, scratch.scores, kScoreStride,
                             static_cast<float>(problem_.scale * kLog2E));
    multiplyColumns<Product>({scratch.outputLeft, size_.valueStride, 1}, scratch.valueColumns, size_.valueUnits, kKeys,
                             seers.blocks(), tile.seenByBlock, scratch.slopes, kScoreStride, 1);
    const float bias = problem_.slopes ? static_cast<float>(problem_.slopes[seers.head] * kLog2E) : 0;
    const auto gradient = gradientRowFor(tile.whole, bias != 0);
    for (int64_t i = 0; i < seers.blocks() * kMr; ++i) {
      const int64_t token = std::min(seers.queries.begin + i, seers.queries.end - 1);
      const Sight sight{tile.seen[i], bias, static_cast<float>(place.keys.begin - seers.queries.begin - i)};
      gradient(scratch.scores + i * kScoreStride, scratch.slopes + i * kScoreStride, sight,
               *at<const float>(problem_.lse, token, place.batch, seers.head),
               *at<const float>(problem_.delta, token, place.batch, seers.head));
    }
  }

  void addToKeys(const Seers& seers, Scratch& scratch) const {
    constexpr int64_t kDepth = unitsOf<Product>(kQueries) * kNr;
    const int64_t rows = seers.blocks() * kMr;
    multiplyDepths<Product>(transposed<Product>(scratch.scores, rows, scratch.narrow), scratch.outputDepth, kDepth,
                            size_.valueColumns, kKeys / kMr, scratch.tile.seersOfBlock, scratch.valueSums,
                            size_.valueColumns, Accumulate());
    multiplyDepths<Product>(transposed<Product>(scratch.slopes, rows, scratch.narrow), scratch.queryDepth, kDepth,
                            size_.headColumns, kKeys / kMr, scratch.tile.seersOfBlock, scratch.keySums,
                            size_.headColumns, Accumulate());
  }

  void addToQueries(const Seers& seers, Scratch& scratch, float* sums, bool first) const {
    const auto slopes = straight<Product>(scratch.slopes, seers.blocks() * kMr, scratch.narrow);
    const auto add = [&](const auto how) {
      multiplyDepths<Product>(slopes, scratch.keyDepth, unitsOf<Product>(kKeys) * kNr, size_.headColumns,
                              seers.blocks(), scratch.tile.seenByBlock, sums, size_.headColumns, how);
    };
    first ? add(Replace{1}) : add(Accumulate());
  }

  bool operandsFinite(const Place& place, const Seers& seers) const {
    return allFinite<Element>(queriesOf(place, seers)) && allFinite<Element>(outputsOf(place, seers)) &&
           allFinite<Element>(rowsOf<Stored>(problem_.key, place.keys, place.batch, place.kvHead, problem_.headDim));
  }

  /// What is not finite must not reach, times 0, a token that does not see it or is not seen by it.
  void addSeenOnly(const Place& place, const Seers& seers, Scratch& scratch) const {
    const Rows<Stored> queries = queriesOf(place, seers), outputs = outputsOf(place, seers);
    for (int64_t i = 0; i < seers.rows(); ++i) {
      const Range seen = scratch.tile.seen[i];
      for (int64_t key = seen.begin; key < seen.end; ++key) {
        const int64_t at = i * kScoreStride + key;
        addRow<Element>(scratch.valueSums + key * size_.valueColumns, scratch.scores[at], outputs.row(i),
                        outputs.width);
        addRow<Element>(scratch.keySums + key * size_.headColumns, scratch.slopes[at], queries.row(i), queries.width);
      }
    }
  }
  void addSeenOnlyToQueries(const Place& place, const Seers& seers, Scratch& scratch, float* sums, bool first) const {
    const auto keys = rowsOf<Stored>(problem_.key, place.keys, place.batch, place.kvHead, problem_.headDim);
    if (first) clear(sums, 0, querySums());
    for (int64_t i = 0; i < seers.rows(); ++i) {
      const Range seen = scratch.tile.seen[i];
      for (int64_t key = seen.begin; key < seen.end; ++key)
        addRow<Element>(sums + i * size_.headColumns, scratch.slopes[i * kScoreStride + key], keys.row(key),
                        keys.width);
    }
  }

  void finishQueries(const Place& place, const Seers& seers, const float* sums) const {
    for (int64_t i = 0; i < seers.rows(); ++i) {
      writeRow<Element>(sums + i * size_.headColumns, static_cast<float>(problem_.scale),
                        at<Stored>(problem_.queryGradient, seers.queries.begin + i, place.batch, seers.head),
                        problem_.headDim);
    }
  }

  void finish(const Place& place, const Scratch& scratch) const {
    for (int64_t i = 0; i < place.rows(); ++i) {
      const int64_t token = place.keys.begin + i;
      writeRow<Element>(scratch.keySums + i * size_.headColumns, static_cast<float>(problem_.scale),
                        at<Stored>(problem_.keyGradient, token, place.batch, place.kvHead), problem_.headDim);
      writeRow<Element>(scratch.valueSums + i * size_.valueColumns, 1,
                        at<Stored>(problem_.valueGradient, token, place.batch, place.kvHead), problem_.vHeadDim);
    }
  }

  /// The sink has no value: its probability exp(sink - LSE) weighs only in the sum, which delta stands for.
  float sinkGradient(int64_t head) const {
    double sum = 0;
    for (int64_t batch = 0; batch < problem_.batch; ++batch) {
      for (int64_t token = 0; token < problem_.sequence; ++token) {
        const double lse = *at<const float>(problem_.lse, token, batch, head);
        const double delta = *at<const float>(problem_.delta, token, batch, head);
        sum -= sinkProbability(problem_.sinks[head], lse) * delta;
      }
    }
    return static_cast<float>(sum);
  }

  const ulyssesLocalAttention_t& problem_;
  const Mask mask_;
  const Size<Product> size_;
  Items tiles_, sinks_;
  float* sums_;  // of dQ, all tiles of queries
  Turn* turns_;  // of the tiles of keys, by tile of queries
  size_t sharedBytes_, scratchBytes_;
};

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
