// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One tensor's memory with guard bytes on both sides.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ulysses::perf {

constexpr int64_t kPageBytes = 4096;
// One page before the data, which stays page aligned; the guard behind starts right at its end.
constexpr int64_t kGuardBytes = kPageBytes;

class Buffer {
 public:
  static Buffer registered(int64_t bytes);                  // ulyssesMemAlloc: peers map it
  static Buffer plain(int64_t bytes);                       // private memory, all pages present
  static Buffer within(std::byte* storage, int64_t bytes);  // storageBytes(bytes) that the caller owns
  static int64_t storageBytes(int64_t bytes);               // with guards, whole pages

  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer();

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  std::byte* storage() const { return data_ - kGuardBytes; }  // storageBytes(bytes()), guards and all

  void poison();  // an output before it is verified: what is not written shows
  int64_t damagedGuardBytes() const;

  // Rewrites in place, one word of each cache line: what the layer before does to an input. Volatile, as the same value
  // is stored.
  void rewrite() const;
  // Reads all of it once: what the layer after does to an output.
  void readAll() const;

 private:
  enum class Owner { kLibrary, kHeap, kCaller };
  Buffer(std::byte* storage, int64_t bytes, Owner owner);

  std::byte* data_;
  int64_t bytes_;
  Owner owner_;
};

}  // namespace ulysses::perf
