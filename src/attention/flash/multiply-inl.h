// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Products of tiles. The left operand is read unit by unit, in any order of storage; the right one is packed in panels
// of kNr columns, so that a panel (depth * kNr units) stays in the nearest cache while the rows of the left one go by.
#if defined(ULYSSES_ATTENTION_MULTIPLY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_MULTIPLY_INL_H_
#undef ULYSSES_ATTENTION_MULTIPLY_INL_H_
#else
#define ULYSSES_ATTENTION_MULTIPLY_INL_H_
#endif

#include "attention/flash/mask.h"
#include "attention/flash/product-inl.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

// A block of kMr x kNr sums stays in registers: 24 of 32, or 12 of 16.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int64_t kMr = 12;
#else
constexpr int64_t kMr = 6;
#endif
constexpr int64_t kNr = 2 * kLanes;

/// Unit (row, depth) is at[row * rowStride + depth * depthStride].
template <class Unit>
struct Left {
  const Unit* at;
  int64_t rowStride, depthStride;
};

/// What becomes of sums: they replace the output, scaled; are added to it; or are added to it after it was scaled.
struct Replace {
  float factor;
  HWY_INLINE Vec apply(Vec sum, const float* /*old*/, int64_t /*row*/) const { return hn::Mul(sum, all(factor)); }
};
struct Accumulate {
  HWY_INLINE Vec apply(Vec sum, const float* old, int64_t /*row*/) const { return hn::Add(sum, load(old)); }
};
struct Rescale {
  const float* factors;  // of rows
  HWY_INLINE Vec apply(Vec sum, const float* old, int64_t row) const {
    return hn::MulAdd(load(old), all(factors[row]), sum);
  }
};

/// kMr rows from `row` on, one panel: output block = what `how` makes of left * right over `depth` units.
template <class Product, class How>
HWY_NOINLINE void multiplyBlock(Left<typename Product::Unit> left, const typename Product::Unit* right, int64_t depth,
                                float* output, int64_t outputStride, int64_t row, const How how) {
  using Unit = typename Product::Unit;
  Vec sums[kMr][2];
#pragma GCC unroll 12
  for (int64_t r = 0; r < kMr; ++r) sums[r][0] = sums[r][1] = hn::Zero(Floats());
  const Unit* at = left.at + row * left.rowStride;
  for (int64_t d = 0; d < depth; ++d, at += left.depthStride, right += kNr) {
    const auto right0 = Product::loadUnits(right), right1 = Product::loadUnits(right + kLanes);
#pragma GCC unroll 12
    for (int64_t r = 0; r < kMr; ++r) {
      const auto value = Product::broadcast(at + r * left.rowStride);
      sums[r][0] = Product::mulAdd(value, right0, sums[r][0]);
      sums[r][1] = Product::mulAdd(value, right1, sums[r][1]);
    }
  }
  output += row * outputStride;
#pragma GCC unroll 12
  for (int64_t r = 0; r < kMr; ++r, output += outputStride) {
    store(how.apply(sums[r][0], output, row + r), output);
    store(how.apply(sums[r][1], output + kLanes, row + r), output + kLanes);
  }
}

/// All columns of the output, `columns` of them (rounded up to panels), whose panels are `panel` units apart. Of the
/// depth, block b of rows takes spans[b] (elements) only: outside of it the left operand is zero.
template <class Product, class How>
void multiplyDepths(Left<typename Product::Unit> left, const typename Product::Unit* right, int64_t panel,
                    int64_t columns, int64_t blocks, const Range* spans, float* output, int64_t outputStride,
                    const How how) {
  constexpr int64_t kPer = Product::kPerUnit;
  for (int64_t column = 0; column < columns; column += kNr, right += panel) {
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t begin = spans[block].begin / kPer, end = (spans[block].end + kPer - 1) / kPer;
      const Left<typename Product::Unit> from{left.at + begin * left.depthStride, left.rowStride, left.depthStride};
      multiplyBlock<Product>(from, right + begin * kNr, end - begin, output + column, outputStride, block * kMr, how);
    }
  }
}

/// The whole depth. Of the output's columns, block b of rows gets those panels only that spans[b] touches.
template <class Product>
void multiplyColumns(Left<typename Product::Unit> left, const typename Product::Unit* right, int64_t depth,
                     int64_t columns, int64_t blocks, const Range* spans, float* output, int64_t outputStride,
                     float factor) {
  for (int64_t column = 0; column < columns; column += kNr, right += depth * kNr) {
    for (int64_t block = 0; block < blocks; ++block) {
      if (meet(spans[block], {column, column + kNr}).empty()) continue;
      multiplyBlock<Product>(left, right, depth, output + column, outputStride, block * kMr, Replace{factor});
    }
  }
}

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
