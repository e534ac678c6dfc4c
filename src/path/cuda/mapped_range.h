// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/check.h"
#include "path/cuda/runtime.h"

namespace ulysses {

/// Mappings of another process, side by side as there, in address space of this one; given back with it.
class MappedRange {
 public:
  /// Throws Error.
  MappedRange(DeviceRuntime& runtime, int64_t bytes) : space_(runtime.reserve(bytes), Unreserve{&runtime, bytes}) {}

  /// Puts a mapping behind those that are there. Throws Error; the range is as before then.
  void append(int fd, int64_t bytes) {
    const auto& [runtime, size] = space_.get_deleter();
    if (bytes <= 0 || bytes > size - mapped_)
      raise(Result::SystemError, "a mapping of {} bytes does not fit behind {} of {}", bytes, mapped_, size);
    std::byte* const at = space_.get() + mapped_;
    auto& mapping = mappings_.emplace_back(nullptr, Unmap{runtime, bytes});
    runtime->map(at, bytes, fd);
    mapping.reset(at);
    mapped_ += bytes;
  }
  std::byte* data() const { return space_.get(); }
  bool isFull() const { return mapped_ == space_.get_deleter().bytes; }

 private:
  struct Unreserve {
    DeviceRuntime* runtime;
    int64_t bytes;
    void operator()(std::byte* base) const { runtime->unreserve(base, bytes); }
  };
  struct Unmap {
    DeviceRuntime* runtime;
    int64_t bytes;
    void operator()(std::byte* at) const { runtime->unmap(at, bytes); }
  };
  std::unique_ptr<std::byte, Unreserve> space_;
  std::vector<std::unique_ptr<std::byte, Unmap>> mappings_;  // end before their space
  int64_t mapped_ = 0;
};

}  // namespace ulysses
