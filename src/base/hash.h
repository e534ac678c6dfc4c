// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL  // nothing of it is exported
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define XXH_NO_INLINE_HINTS 1  // these builds have -Og, which cannot do what the hints insist on
#endif
#include <xxhash.h>

namespace ulysses {

/// 64-bit hash of bytes, chained by `seed`. Not against an adversary.
inline uint64_t hashBytes(const void* data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

/// The same of bytes that come in pieces.
class HashStream {
 public:
  HashStream() noexcept { XXH3_64bits_reset(&state_); }
  void add(const void* data, size_t bytes) noexcept { XXH3_64bits_update(&state_, data, bytes); }
  uint64_t value() const noexcept { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace ulysses
