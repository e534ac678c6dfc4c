// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/device_allocations.h"

#include <unistd.h>

#include "path/cuda/runtime.h"

namespace ulysses {

DeviceAllocations& DeviceAllocations::instance() {
  static DeviceAllocations& only = *new DeviceAllocations;  // outlives what is freed at exit
  return only;
}

std::byte* DeviceAllocations::allocate(int64_t bytes) {
  std::byte* const memory = allocateDeviceMemory(bytes);
  const std::lock_guard lock(mutex_);
  owners_[memory] = getpid();
  return memory;
}

bool DeviceAllocations::release(void* base) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = owners_.find(base);
    if (found == owners_.end() || found->second != getpid()) return false;
    owners_.erase(found);
  }
  freeDeviceMemory(static_cast<std::byte*>(base));
  return true;
}

}  // namespace ulysses
