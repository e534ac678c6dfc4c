// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The inputs of an attention run as a function of their place, so that every rank knows those of all; and element
// types.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "data_type.h"

namespace ulysses::perf {

enum class Input : uint64_t { kQuery, kKey, kValue, kOutputGradient };

// Between -1 and 1 in steps of a sixteenth: the same number in every type.
inline double inputValue(Input input, int64_t token, int64_t batch, int64_t head, int64_t d) {
  uint64_t x = static_cast<uint64_t>(input) + 1;
  for (const int64_t place : {token, batch, head, d}) {
    x = (x ^ static_cast<uint64_t>(place)) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
  }
  return static_cast<double>(static_cast<int64_t>((x >> 20) % 33) - 16) / 16;
}

// The element nearest to a number, as bits.
inline uint64_t toBits(ulyssesDataType_t type, double value) {
  const auto single = static_cast<float>(value);
  const auto bits = std::bit_cast<uint32_t>(single);
  if (type == ulyssesFloat32) return bits;
  if (type == ulyssesBfloat16) return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  const uint64_t sign = bits >> 16 & 0x8000u;
  if (single == 0) return sign;
  const int exponent = std::max(std::ilogb(single), -14);
  const auto fraction = static_cast<uint64_t>(std::nearbyint(std::ldexp(std::fabs(value), 10 - exponent)));
  return sign | (fraction + (static_cast<uint64_t>(exponent + 14) << 10));
}

inline double fromBits(ulyssesDataType_t type, const std::byte* element) {
  if (type == ulyssesFloat32) {
    float value = 0;
    std::memcpy(&value, element, sizeof value);
    return static_cast<double>(value);
  }
  uint16_t bits = 0;
  std::memcpy(&bits, element, sizeof bits);
  if (type == ulyssesBfloat16) return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return std::nan("");
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -size : size;
}

}  // namespace ulysses::perf
