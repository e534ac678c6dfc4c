// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows of tensors as operands: `rows` rows of `width` elements, `stride` elements apart, padded with zeros.
#if defined(ULYSSES_ATTENTION_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_PACK_INL_H_
#undef ULYSSES_ATTENTION_PACK_INL_H_
#else
#define ULYSSES_ATTENTION_PACK_INL_H_
#endif

#include "attention/flash/multiply-inl.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

/// Rows of one head of a tensor, from one token on.
template <class Stored>
struct Rows {
  const Stored* first;
  int64_t stride, rows, width;
  HWY_INLINE const Stored* row(int64_t index) const { return first + std::min(index, rows - 1) * stride; }
  HWY_INLINE int64_t widthOf(int64_t index) const { return index < rows ? width : 0; }
};

template <class Product>
constexpr int64_t unitsOf(int64_t elements) {
  return (elements + Product::kPerUnit - 1) / Product::kPerUnit;
}

/// A left operand with the rows as rows: `padded` of them, `toStride` units apart.
template <class Product>
void packLeft(const Rows<typename Product::Stored>& from, int64_t padded, typename Product::Unit* to,
              int64_t toStride) {
  for (int64_t r = 0; r < padded; ++r, to += toStride) {
    const auto* const row = from.row(r);
    for (int64_t at = 0; at < from.width; at += kLanes * Product::kPerUnit)
      Product::storeUnits(Product::alongRow(row + at, from.widthOf(r) - at), to + at / Product::kPerUnit);
  }
}

/// A right operand with the rows as depth, `padded` of them: panels of kNr elements of the rows.
template <class Product>
void packDepth(const Rows<typename Product::Stored>& from, int64_t padded, typename Product::Unit* to) {
  const int64_t panel = unitsOf<Product>(padded) * kNr;
  for (int64_t r = 0; r < padded; r += Product::kPerUnit, to += kNr) {
    const typename Product::Stored* rows[Product::kPerUnit];
    for (int64_t i = 0; i < Product::kPerUnit; ++i) rows[i] = i == 0 || r + i < from.rows ? from.row(r + i) : nullptr;
    auto* target = to;
    for (int64_t at = 0; at < from.width; at += kNr, target += panel) {
      const int64_t left = from.widthOf(r) - at;
      Product::storeUnits(Product::acrossRows(rows, at, left), target);
      Product::storeUnits(Product::acrossRows(rows, at + kLanes, left - kLanes), target + kLanes);
    }
  }
}

/// A right operand with the rows as columns, `padded` of them: panels of kNr rows, their elements as depth.
template <class Product>
void packColumns(const Rows<typename Product::Stored>& from, int64_t padded, typename Product::Unit* to) {
  using Unit = typename Product::Unit;
  const int64_t depth = unitsOf<Product>(from.width);
  for (int64_t r = 0; r < padded; ++r) {
    const auto* const row = from.row(r);
    Unit* const column = to + r / kNr * depth * kNr + r % kNr;
    for (int64_t unit = 0; unit < depth; unit += kLanes) {
      Unit units[kLanes];
      const int64_t at = unit * Product::kPerUnit;
      Product::storeUnits(Product::alongRow(row + at, from.widthOf(r) - at), units);
      const int64_t count = std::min(kLanes, depth - unit);
      for (int64_t i = 0; i < count; ++i) column[(unit + i) * kNr] = units[i];
    }
  }
}

/// Whether no element is infinite or NaN.
template <class Element>
bool allFinite(const Rows<typename Element::Stored>& from) {
  auto largest = hn::Zero(Words());
  for (int64_t r = 0; r < from.rows; ++r) {
    const auto* const row = from.row(r);
    for (int64_t at = 0; at < from.width; at += kLanes) {
      const Vec value = widenPart<Element>(row + at, from.width - at);
      largest = hn::Max(largest, hn::And(hn::BitCast(Words(), value), hn::Set(Words(), 0x7FFFFFFFu)));
    }
  }
  return hn::GetLane(hn::MaxOfLanes(Words(), largest)) < 0x7F800000u;
}

/// to[i] += factor * from[i], i < width.
template <class Element>
void addRow(float* to, float factor, const typename Element::Stored* from, int64_t width) {
  for (int64_t at = 0; at < width; at += kLanes) {
    const Vec value = widenPart<Element>(from + at, width - at);
    store(hn::MulAdd(value, all(factor), load(to + at)), to + at);
  }
}

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
