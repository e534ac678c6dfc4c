// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/device/portable.h"
#include "kernels/device/work.h"

namespace ulysses::device {

/// A piece in registers.
struct alignas(kPieceBytes) Vector {
  uint32_t words[4];
};

/// The largest power of two, up to a piece, that divides all that was or-ed together: addresses, strides, bytes.
ULYSSES_HOST_DEVICE inline uint32_t alignmentOf(uint64_t bits) {
  const uint64_t all = bits | kPieceBytes;
  return static_cast<uint32_t>(all & (~all + 1));
}
ULYSSES_HOST_DEVICE inline uint64_t bitsOf(const std::byte* address) { return reinterpret_cast<uintptr_t>(address); }

/// From and to addresses that kPieceBytes divides.
ULYSSES_HOST_DEVICE inline Vector loadVector(const std::byte* from) { return *reinterpret_cast<const Vector*>(from); }
ULYSSES_HOST_DEVICE inline void storeVector(std::byte* to, const Vector& vector) {
  *reinterpret_cast<Vector*>(to) = vector;
}

template <typename Word>
ULYSSES_HOST_DEVICE void copyWords(std::byte* to, const std::byte* from, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i += sizeof(Word))
    *reinterpret_cast<Word*>(to + i) = *reinterpret_cast<const Word*>(from + i);
}

/// `alignment` (1, 2, 4, 8 or 16) divides both addresses and the bytes.
ULYSSES_HOST_DEVICE inline void copyPiece(std::byte* to, const std::byte* from, uint32_t bytes, uint32_t alignment) {
  if (alignment >= kPieceBytes) return storeVector(to, loadVector(from));
  if (alignment >= 8) return copyWords<uint64_t>(to, from, bytes);
  if (alignment == 4) return copyWords<uint32_t>(to, from, bytes);
  if (alignment == 2) return copyWords<uint16_t>(to, from, bytes);
  copyWords<uint8_t>(to, from, bytes);
}

}  // namespace ulysses::device
