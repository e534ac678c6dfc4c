// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// 16-bit floats one at a time, for the baseline without vectors. Narrowing takes sums of such floats, and rounds to
// nearest even: the lower 16 bits of a NaN that came of bfloat16s are zero, so that rounding cannot carry it away.
#pragma once
#include <bit>
#include <cstdint>

namespace ulysses::kernels {

constexpr float floatFromBfloat16(uint16_t half) { return std::bit_cast<float>(static_cast<uint32_t>(half) << 16); }

constexpr uint16_t bfloat16FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  // The carry runs into the exponent, up to infinity, as it should. A NaN stays one: see above.
  return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

constexpr float floatFromFloat16(uint16_t half) {
  constexpr uint32_t kRebias = (127u - 15u) << 23;
  const uint32_t magnitude = half & 0x7FFFu;
  const uint32_t sign = (half & 0x8000u) << 16;
  uint32_t bits = (magnitude << 13) + kRebias;
  if (magnitude > 0x7BFFu) bits += kRebias;  // infinity and NaN: the largest exponent stays the largest one
  if (magnitude < 0x0400u) bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);  // exact
  return std::bit_cast<float>(bits | sign);
}

constexpr uint16_t float16FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  const uint32_t sign = bits >> 16 & 0x8000u;
  uint32_t half = (magnitude + 0x0FFFu + (magnitude >> 13 & 1u) - ((127u - 15u) << 23)) >> 13;
  // Below 2^-14: beside 0.5 the last place of a float is 2^-24, so the addition does the rounding.
  if (magnitude < 0x38800000u) half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
  if (magnitude >= 0x477FF000u) half = 0x7C00u;  // 65520, half way from the largest number to the next power of two
  if (magnitude > 0x7F800000u) half = 0x7E00u;
  return static_cast<uint16_t>(half | sign);
}

}  // namespace ulysses::kernels
