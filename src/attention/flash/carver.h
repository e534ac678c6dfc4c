// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which memory of a call's workspace is for what. With no memory behind it, it only counts.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ulysses::attention {

class Carver {
 public:
  explicit Carver(void* workspace) : base_(static_cast<std::byte*>(workspace)) {}

  /// `count` objects, at a cache line; NULL when there is no memory.
  template <class T>
  T* take(int64_t count) {
    T* const taken = base_ ? reinterpret_cast<T*>(base_ + bytes_) : nullptr;
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + kLine - 1) / kLine * kLine;
    return taken;
  }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kLine = 64;
  std::byte* base_;
  size_t bytes_ = 0;
};

}  // namespace ulysses::attention
