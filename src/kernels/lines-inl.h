// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Moving whole cache lines and pieces of them; compiled once per instruction set, hence no #pragma once.
#if defined(ULYSSES_KERNELS_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_KERNELS_LINES_INL_H_
#undef ULYSSES_KERNELS_LINES_INL_H_
#else
#define ULYSSES_KERNELS_LINES_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Bytes of a cache line: what a non-temporal store must fill completely to avoid a read of the destination.
constexpr int64_t kLine = 64;
// Bytes taken from one row before turning to the next one.
constexpr int64_t kChunk = 4 * kLine;

// The baseline (Highway's SCALAR or EMU128): 16 bytes that the compiler may keep in a register, no non-temporal stores.
// Highway's own vectors are one byte there.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

constexpr int64_t kVec = 16;
struct BytesVec {
  std::byte data[kVec];
};
HWY_INLINE BytesVec loadVec(const std::byte* from) {
  BytesVec value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <bool kStream>
HWY_INLINE void storeVec(const BytesVec& value, std::byte* to) {
  std::memcpy(to, &value, sizeof value);
}

#else

using Bytes = hn::CappedTag<uint8_t, kLine>;
using BytesVec = hn::Vec<Bytes>;
constexpr int64_t kVec = static_cast<int64_t>(hn::MaxLanes(Bytes()));

HWY_INLINE BytesVec loadVec(const std::byte* from) {
  return hn::LoadU(Bytes(), reinterpret_cast<const uint8_t*>(from));
}
/// Streaming needs `to` vector-aligned; Cached takes any address.
template <bool kStream>
HWY_INLINE void storeVec(BytesVec value, std::byte* to) {
  if constexpr (kStream) {
    hn::Stream(value, Bytes(), reinterpret_cast<uint8_t*>(to));
  } else {
    hn::StoreU(value, Bytes(), reinterpret_cast<uint8_t*>(to));
  }
}

#endif

/// Bytes from `at` to the next cache line.
HWY_INLINE int64_t toNextLine(const std::byte* at) {
  return static_cast<int64_t>(-reinterpret_cast<uintptr_t>(at) & (kLine - 1));
}

/// Copies [kWidth, 2 * kWidth] bytes by two moves that overlap in the middle, so never past either end.
template <size_t kWidth>
HWY_INLINE void copyEnds(std::byte* dst, const std::byte* src, int64_t bytes) {
  struct Piece {
    std::byte data[kWidth];
  } first, last;
  const int64_t lastAt = bytes - static_cast<int64_t>(kWidth);
  std::memcpy(&first, src, kWidth);
  std::memcpy(&last, src + lastAt, kWidth);
  std::memcpy(dst, &first, kWidth);
  std::memcpy(dst + lastAt, &last, kWidth);
}

/// Copies 0 to kLine bytes: the parts of a row outside whole lines. memcpy's call costs more than such a copy.
HWY_INLINE void copySmall(std::byte* dst, const std::byte* src, int64_t bytes) {
  if (HWY_LIKELY(bytes == 0)) return;
  if (bytes >= 32) return copyEnds<32>(dst, src, bytes);
  if (bytes >= 16) return copyEnds<16>(dst, src, bytes);
  if (bytes >= 8) return copyEnds<8>(dst, src, bytes);
  if (bytes >= 4) return copyEnds<4>(dst, src, bytes);
  if (bytes >= 2) return copyEnds<2>(dst, src, bytes);
  *dst = *src;
}

}  // namespace ulysses::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
