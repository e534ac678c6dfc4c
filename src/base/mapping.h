// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace ulysses {

/// Owns a shared mapping of a file.
class Mapping {
 public:
  Mapping() noexcept = default;
  /// Maps [offset, offset + bytes) of fd, page tables filled at once so that the first exchange takes no faults.
  Mapping(int fd, int64_t offset, size_t bytes, int protection) : bytes_(bytes) {
    void* address = ::mmap(nullptr, bytes, protection, MAP_SHARED | MAP_POPULATE, fd, offset);
    if (address == MAP_FAILED) raiseErrno("mmap");
    data_ = static_cast<std::byte*>(address);
  }
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (data_) ::munmap(data_, bytes_);
  }
  std::byte* data() const noexcept { return data_; }
  size_t bytes() const noexcept { return bytes_; }
  bool contains(const void* pointer) const noexcept {
    const auto* at = static_cast<const std::byte*>(pointer);
    return at >= data_ && at < data_ + bytes_;
  }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace ulysses
