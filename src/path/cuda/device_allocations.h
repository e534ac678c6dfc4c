// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace ulysses {

/// The device memory that this process's callers were given by ulyssesMemAllocDevice. Thread-safe.
class DeviceAllocations {
 public:
  static DeviceAllocations& instance();

  /// Of the GPU that is current to this thread, zeroed. Throws OutOfMemory, NotSupported, SystemError.
  std::byte* allocate(int64_t bytes);
  /// false when it was not allocated here: also in a forked child, which cannot use its parent's GPU.
  bool release(void* base);

 private:
  std::mutex mutex_;
  std::map<void*, pid_t> owners_;
};

}  // namespace ulysses
