// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL  // nothing of it is exported
#include <xxhash.h>

namespace ulysses {

/// 64-bit hash of bytes, chained by `seed`. Not against an adversary.
inline uint64_t hashBytes(const void* data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

}  // namespace ulysses
