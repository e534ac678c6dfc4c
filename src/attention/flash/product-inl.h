// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a matrix product is made of. Operands are arrays of 32-bit units: a unit is one float, or two bfloat16 that are
// neighbours in the depth of the product. So packing and the loops over tiles are the same for both.
#if defined(ULYSSES_ATTENTION_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_PRODUCT_INL_H_
#undef ULYSSES_ATTENTION_PRODUCT_INL_H_
#else
#define ULYSSES_ATTENTION_PRODUCT_INL_H_
#endif

#include "attention/flash/floats-inl.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

/// Float operands, widened from any element: exact.
template <class ElementType>
struct FloatProduct {
  using Element = ElementType;
  using Stored = typename Element::Stored;
  using Unit = float;
  using Units = Vec;
  static constexpr int64_t kPerUnit = 1;
  static constexpr bool kNarrows = false;  // probabilities serve as operands as they are

  static HWY_INLINE Units broadcast(const Unit* at) { return all(*at); }
  static HWY_INLINE Units loadUnits(const Unit* at) { return load(at); }
  static HWY_INLINE void storeUnits(Units units, Unit* to) { store(units, to); }
  static HWY_INLINE Vec mulAdd(Units a, Units b, Vec sum) { return hn::MulAdd(a, b, sum); }

  /// The next units of a row that has `left` elements left; units beyond its end are 0.
  static HWY_INLINE Units alongRow(const Stored* row, int64_t left) { return widenPart<Element>(row, left); }
  /// Units of kPerUnit rows that are neighbours in depth, from element `at` on; a row that is NULL counts as zeros.
  static HWY_INLINE Units acrossRows(const Stored* const (&rows)[kPerUnit], int64_t at, int64_t left) {
    return alongRow(rows[0] + at, left);
  }
};

#if defined(ULYSSES_FLASH_BFLOAT16) && HWY_TARGET == HWY_AVX3

/// bfloat16 operands as they are stored; twice the products per instruction.
struct Bfloat16Product {
  using Element = Bfloat16;
  using Stored = uint16_t;
  using Unit = uint32_t;
  using Units = hn::Vec<Words>;
  static constexpr int64_t kPerUnit = 2;
  static constexpr bool kNarrows = true;

  static HWY_INLINE Units broadcast(const Unit* at) { return hn::Set(Words(), *at); }
  static HWY_INLINE Units loadUnits(const Unit* at) { return hn::LoadU(Words(), at); }
  static HWY_INLINE void storeUnits(Units units, Unit* to) { hn::StoreU(units, Words(), to); }
  static HWY_INLINE Vec mulAdd(Units a, Units b, Vec sum) {
    return Vec{_mm512_dpbf16_ps(sum.raw, (__m512bh)a.raw, (__m512bh)b.raw)};
  }

  static HWY_INLINE Units alongRow(const Stored* row, int64_t left) {
    Stored part[2 * kLanes];
    return hn::BitCast(Words(), hn::LoadU(hn::Repartition<Stored, Words>(), padded<2 * kLanes>(row, left, part)));
  }
  static HWY_INLINE Units acrossRows(const Stored* const (&rows)[kPerUnit], int64_t at, int64_t left) {
    const Units first = spread(rows[0] + at, left);
    return rows[1] ? hn::Or(first, hn::ShiftLeft<16>(spread(rows[1] + at, left))) : first;
  }

  /// Units along one row of floats, from 2 * kLanes of them.
  static HWY_INLINE Units narrowAlong(const float* row) {
    return Units{(__m512i)_mm512_cvtne2ps_pbh(load(row + kLanes).raw, load(row).raw)};
  }
  /// Units across two rows of floats, from kLanes of each.
  static HWY_INLINE Units narrowAcross(const float* first, const float* second) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(load(first).raw));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(load(second).raw));
    return hn::Or(Units{low}, hn::ShiftLeft<16>(Units{high}));
  }

 private:
  static HWY_INLINE Units spread(const Stored* from, int64_t there) {
    Stored part[kLanes];
    return hn::PromoteTo(Words(), hn::LoadU(Shorts(), padded<kLanes>(from, there, part)));
  }
};

#endif

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
