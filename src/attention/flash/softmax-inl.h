// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows of a tile of scores: to probabilities, forward and backward. Scores are in base 2: times log2(e).
#if defined(ULYSSES_ATTENTION_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_SOFTMAX_INL_H_
#undef ULYSSES_ATTENTION_SOFTMAX_INL_H_
#else
#define ULYSSES_ATTENTION_SOFTMAX_INL_H_
#endif

#include <cmath>

#include "attention/flash/tile-inl.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

constexpr double kLn2 = 0.693147180559945309417;
constexpr double kLog2E = 1.44269504088896340736;

/// What one query sees of a tile.
struct Sight {
  Range seen;
  float slope;     // times log2(e); 0: no bias
  float distance;  // key 0 of the tile minus the query
  Range vectors() const { return {roundDown(seen.begin, kLanes), roundUp(seen.end, kLanes)}; }
};

HWY_INLINE auto seenAt(const Sight& sight, Vec keys) {
  return hn::And(hn::Ge(keys, all(static_cast<float>(sight.seen.begin))),
                 hn::Lt(keys, all(static_cast<float>(sight.seen.end))));
}

/// Scores from `key` on with the bias of positions; what is not seen is -inf.
template <bool kWhole, bool kBias>
HWY_INLINE Vec scoresAt(const float* scores, const Sight& sight, int64_t key) {
  Vec score = load(scores + key);
  if constexpr (kWhole && !kBias) return score;
  const Vec keys = hn::Iota(Floats(), static_cast<float>(key));
  if constexpr (kBias) score = hn::NegMulAdd(all(sight.slope), hn::Abs(hn::Add(keys, all(sight.distance))), score);
  if constexpr (kWhole) return score;
  return hn::IfThenElse(seenAt(sight, keys), score, all(-kInfinity));
}

/// The running state of a row: scores are relative to `largest`, `sum` is that of 2^(score - largest).
struct Running {
  float largest = -kInfinity;
  float sum = 0;
};

/// Scores of one row become 2^(score - largest). Returns by what earlier sums are to be multiplied.
template <bool kWhole, bool kBias>
HWY_INLINE float advanceRow(float* scores, const Sight& sight, Running& running) {
  const Range vectors = sight.vectors();
  Vec largest = all(running.largest);
  for (int64_t key = vectors.begin; key < vectors.end; key += kLanes)
    largest = hn::Max(largest, scoresAt<kWhole, kBias>(scores, sight, key));
  const float newLargest = hn::GetLane(hn::MaxOfLanes(Floats(), largest));
  // While all scores are -inf, 0 stands in: the powers are then 0, not NaN.
  const Vec base = all(newLargest == -kInfinity ? 0 : newLargest);
  Vec sum = hn::Zero(Floats());
  for (int64_t key = vectors.begin; key < vectors.end; key += kLanes) {
    const Vec power = exp2(hn::Sub(scoresAt<kWhole, kBias>(scores, sight, key), base));
    sum = hn::Add(sum, power);
    store(power, scores + key);
  }
  const float factor = newLargest == running.largest ? 1 : std::exp2(running.largest - newLargest);
  running = {newLargest, running.sum * factor + hn::GetLane(hn::SumOfLanes(Floats(), sum))};
  return factor;
}

/// Rows [0, rows) of a tile; factors[i] is what advanceRow returned for row i, 1 for rows that see nothing.
template <bool kWhole, bool kBias>
HWY_NOINLINE void advanceRows(float* scores, const TileMask& tile, int64_t rows, float slope, float distance,
                              Running* running, float* factors) {
  for (int64_t i = 0; i < rows; ++i, scores += kScoreStride) {
    const Sight sight{tile.seen[i], slope, distance - static_cast<float>(i)};
    const Range vectors = sight.vectors();
    factors[i] = sight.seen.empty() ? 1 : advanceRow<kWhole, kBias>(scores, sight, running[i]);
    clear(scores, 0, vectors.begin);
    clear(scores, vectors.end, kKeys);
  }
}

inline auto advanceRowsFor(bool whole, bool biased) {
  if (whole) return biased ? advanceRows<true, true> : advanceRows<true, false>;
  return biased ? advanceRows<false, true> : advanceRows<false, false>;
}

/// Scores of one row become probabilities, and dO V^T, `slopes`, becomes the gradient of the scores (without the
/// scale).
template <bool kWhole, bool kBias>
HWY_NOINLINE void gradientRow(float* scores, float* slopes, const Sight& sight, float lse, float delta) {
  const Vec base = all(static_cast<float>(lse * kLog2E));
  const Range vectors = sight.seen.empty() ? Range{} : sight.vectors();
  clear(scores, 0, vectors.begin);
  clear(slopes, 0, vectors.begin);
  for (int64_t key = vectors.begin; key < vectors.end; key += kLanes) {
    const Vec score = scoresAt<kWhole, kBias>(scores, sight, key);
    Vec probability = exp2(hn::Sub(score, base));
    Vec slope = hn::Mul(probability, hn::Sub(load(slopes + key), all(delta)));
    if constexpr (!kWhole) {
      const auto seen = seenAt(sight, hn::Iota(Floats(), static_cast<float>(key)));
      probability = hn::IfThenElseZero(seen, probability);
      slope = hn::IfThenElseZero(seen, slope);
    }
    store(probability, scores + key);
    store(slope, slopes + key);
  }
  clear(scores, vectors.end, kKeys);
  clear(slopes, vectors.end, kKeys);
}

inline auto gradientRowFor(bool whole, bool biased) {
  if (whole) return biased ? gradientRow<true, true> : gradientRow<true, false>;
  return biased ? gradientRow<false, true> : gradientRow<false, false>;
}

/// exp(sink - LSE); a sink of -inf is none, also where LSE is -inf.
inline double sinkProbability(double sink, double lse) {
  if (sink == -std::numeric_limits<double>::infinity()) return 0;
  return std::exp(sink - lse);
}

/// The end of a row: its log of the sum of exponentials, and the factor that makes outputs of sums.
struct Outcome {
  float lse, factor;
};
inline Outcome outcomeOf(const Running& running, float sink, bool seesNothing) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const double largest = std::max<double>(running.largest, sink * kLog2E);
  // Nothing can be subtracted of these; the limits of the definition.
  if (largest == kInfinity) return {kInfinity, running.largest == kInfinity ? kNan : 0};
  if (largest == -kInfinity && running.sum == 0) return {-kInfinity, seesNothing ? 0 : kNan};
  const double mine = std::exp2(running.largest - largest);
  const double total = running.sum * mine + std::exp2(sink * kLog2E - largest);
  return {static_cast<float>((largest + std::log2(total)) * kLn2), static_cast<float>(mine / total)};
}

/// Probabilities, or their gradients, as a left operand with queries as rows; `narrow` has room for it where Product
/// needs some.
template <class Product>
Left<typename Product::Unit> straight(const float* scores, int64_t rows, typename Product::Unit* narrow) {
  if constexpr (Product::kNarrows) {
    constexpr int64_t kStride = kScoreStride / Product::kPerUnit;
    for (int64_t i = 0; i < rows; ++i, scores += kScoreStride) {
      for (int64_t unit = 0; unit < kKeys / Product::kPerUnit; unit += kLanes)
        Product::storeUnits(Product::narrowAlong(scores + unit * Product::kPerUnit), narrow + i * kStride + unit);
    }
    return {narrow, kStride, 1};
  } else {
    return {scores, kScoreStride, 1};
  }
}

/// The same with keys as rows.
template <class Product>
Left<typename Product::Unit> transposed(const float* scores, int64_t rows, typename Product::Unit* narrow) {
  if constexpr (Product::kNarrows) {
    for (int64_t i = 0; i < rows; i += Product::kPerUnit, scores += Product::kPerUnit * kScoreStride) {
      auto* const to = narrow + i / Product::kPerUnit * kScoreStride;
      for (int64_t key = 0; key < kKeys; key += kLanes)
        Product::storeUnits(Product::narrowAcross(scores + key, scores + kScoreStride + key), to + key);
    }
    return {narrow, 1, kScoreStride};
  } else {
    return {scores, 1, kScoreStride};
  }
}

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
