// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Elements as numbers, exactly, and numbers as elements: nearest, ties to even.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ulysses_coll.h"

namespace ulysses::attention {

/// The bits of a half, moved to where float32 has them, are 2^112 too small a float32; infinity and NaN apart.
inline double fromHalf(uint16_t bits) {
  const double size = std::bit_cast<float>(static_cast<uint32_t>(bits & 0x7fff) << 13) * 0x1p112f;
  const double value = (bits & 0x7c00) != 0x7c00 ? size : (bits & 1023) == 0 ? HUGE_VAL : std::nan("");
  return (bits & 0x8000) != 0 ? -value : value;
}

/// `value` rounded to so many bits of significand, none below 2^leastExponent.
inline double roundTo(double value, int bits, int leastExponent) {
  if (!std::isfinite(value) || value == 0) return value;
  const int exponent = std::max(std::ilogb(value) - bits + 1, leastExponent);
  return std::ldexp(std::nearbyint(std::ldexp(value, -exponent)), exponent);
}

inline uint16_t toHalf(double value) {
  const auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return 0x7e00;
  const double size = std::fabs(roundTo(value, 11, -24));
  if (size >= 65536) return static_cast<uint16_t>(sign | 0x7c00);
  if (size < 0x1p-14) return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::ldexp(size, 24)));
  const int exponent = std::ilogb(size);
  const int fraction = static_cast<int>(std::ldexp(size, 10 - exponent)) - 1024;
  return static_cast<uint16_t>(sign | (exponent + 15) << 10 | fraction);
}

inline double fromBfloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t toBfloat(double value) {
  if (std::isnan(value)) return 0x7fc0;
  const auto rounded = static_cast<float>(roundTo(value, 8, -133));  // exact, or beyond the largest: infinity
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(rounded) >> 16);
}

/// Element `index` of an array of float64, float32, float16 or bfloat16.
inline double loadElement(ulyssesDataType_t type, const void* data, int64_t index) {
  const auto load = [&](auto value) {
    std::memcpy(&value, static_cast<const std::byte*>(data) + index * static_cast<int64_t>(sizeof value), sizeof value);
    return value;
  };
  if (type == ulyssesFloat64) return load(double{});
  if (type == ulyssesFloat32) return static_cast<double>(load(float{}));
  return type == ulyssesFloat16 ? fromHalf(load(uint16_t{})) : fromBfloat(load(uint16_t{}));
}

inline void storeElement(ulyssesDataType_t type, void* data, int64_t index, double value) {
  const auto store = [&](auto element) {
    std::memcpy(static_cast<std::byte*>(data) + index * static_cast<int64_t>(sizeof element), &element, sizeof element);
  };
  if (type == ulyssesFloat64) return store(value);
  if (type == ulyssesFloat32) return store(static_cast<float>(value));
  return store(type == ulyssesFloat16 ? toHalf(value) : toBfloat(value));
}

}  // namespace ulysses::attention
