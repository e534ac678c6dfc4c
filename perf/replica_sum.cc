// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "replica_sum.h"

#include <algorithm>
#include <bit>

#include "clones.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kChunk = 512;  // elements; accumulators stay in the first-level cache

inline float fromBfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// Round to nearest even. NaN is kept a NaN.
inline uint16_t toBfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  return static_cast<uint16_t>((value == value ? rounded : bits | 0x400000) >> 16);
}

// Scaling by a power of two moves the exponent between the formats and handles denormals.
inline float fromFloat16(uint16_t bits) {
  const float scaled = std::bit_cast<float>(static_cast<uint32_t>(bits & 0x7fff) << 13) * 0x1p112f;
  const uint32_t special = (bits & 0x7c00) == 0x7c00 ? 0x7f800000u : 0u;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | special | static_cast<uint32_t>(bits & 0x8000) << 16);
}

inline uint16_t toFloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // rounds to infinity
  if (magnitude < 0x38800000) {  // a denormal: the addition rounds at the right bit
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
  }
  return static_cast<uint16_t>(sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13);
}

ULYSSES_PERF_CLONES void addDoubles(double* sum, const std::byte* source, int64_t count) {
  const auto* values = reinterpret_cast<const double*>(source);
  for (int64_t i = 0; i < count; ++i) sum[i] += values[i];
}

ULYSSES_PERF_CLONES void addFloats(float* sum, const std::byte* source, int64_t count) {
  const auto* values = reinterpret_cast<const float*>(source);
  for (int64_t i = 0; i < count; ++i) sum[i] += values[i];
}

ULYSSES_PERF_CLONES void addBfloat16s(float* sum, const std::byte* source, int64_t count) {
  const auto* values = reinterpret_cast<const uint16_t*>(source);
  for (int64_t i = 0; i < count; ++i) sum[i] += fromBfloat16(values[i]);
}

ULYSSES_PERF_CLONES void addFloat16s(float* sum, const std::byte* source, int64_t count) {
  const auto* values = reinterpret_cast<const uint16_t*>(source);
  for (int64_t i = 0; i < count; ++i) sum[i] += fromFloat16(values[i]);
}

ULYSSES_PERF_CLONES void storeBfloat16s(const float* sum, std::byte* target, int64_t count) {
  auto* values = reinterpret_cast<uint16_t*>(target);
  for (int64_t i = 0; i < count; ++i) values[i] = toBfloat16(sum[i]);
}

ULYSSES_PERF_CLONES void storeFloat16s(const float* sum, std::byte* target, int64_t count) {
  auto* values = reinterpret_cast<uint16_t*>(target);
  for (int64_t i = 0; i < count; ++i) values[i] = toFloat16(sum[i]);
}

template <typename Sum, typename Add, typename Store>
void sumChunks(const DataType& type, std::span<const std::byte* const> sources, std::byte* target, int64_t elements,
               Add add, Store store) {
  Sum sum[kChunk];
  for (int64_t done = 0; done < elements; done += kChunk) {
    const int64_t count = std::min(kChunk, elements - done), offset = done * type.bytes;
    std::fill_n(sum, count, Sum{0});
    for (const std::byte* source : sources) add(sum, source + offset, count);
    store(sum, target + offset, count);
  }
}

template <typename Sum>
void storeSame(const Sum* sum, std::byte* target, int64_t count) {
  std::copy_n(sum, count, reinterpret_cast<Sum*>(target));
}

}  // namespace

void sumElements(const DataType& type, std::span<const std::byte* const> sources, std::byte* target, int64_t elements) {
  switch (type.id) {
    case ulyssesFloat64:
      return sumChunks<double>(type, sources, target, elements, addDoubles, storeSame<double>);
    case ulyssesFloat16:
      return sumChunks<float>(type, sources, target, elements, addFloat16s, storeFloat16s);
    case ulyssesBfloat16:
      return sumChunks<float>(type, sources, target, elements, addBfloat16s, storeBfloat16s);
    default:
      return sumChunks<float>(type, sources, target, elements, addFloats, storeSame<float>);
  }
}

}  // namespace ulysses::perf
