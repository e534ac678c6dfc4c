// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/runtime.h"

#include "base/check.h"

namespace ulysses {
namespace {

/// That a range which begins in `first` is memory of this GPU to its end: there, or in mappings side by side, of which
/// this tells the number. Allocations that happen to be neighbours are the caller's mistake.
int requireWhole(DeviceRuntime& runtime, std::byte* memory, int64_t bytes, DeviceRuntime::Allocation first) {
  std::byte* const end = memory + bytes;
  std::byte* reached = first.base + first.bytes;
  int mappings = 1;
  for (; reached < end && runtime.isMapped(reached - 1) && runtime.isMapped(reached); ++mappings) {
    if (!runtime.memoryOf(reached).onDevice) break;
    const DeviceRuntime::Allocation next = runtime.allocationOf(reached);
    reached = next.base + next.bytes;
  }
  require(end <= reached, "size={}: the allocation at {} ends {} bytes after pointer", bytes,
          static_cast<const void*>(first.base), reached - memory);
  return mappings;
}

}  // namespace

std::string textOf(const DeviceRuntime::Memory& memory) {
  switch (memory.kind) {
    case MemoryKind::Device:
      return formatText("memory of GPU {}", memory.device);
    case MemoryKind::Managed:
      return "managed memory";
    case MemoryKind::Host:
      return "page-locked host memory";
    default:
      return "no memory of CUDA's: ordinary host memory, or freed";
  }
}

Registrable requireRegistrable(DeviceRuntime& runtime, std::byte* memory, int64_t bytes) {
  const int current = runtime.currentDevice(), wanted = runtime.device();
  require(current == wanted, "GPU {} is current to the thread, the communicator uses GPU {}; call cudaSetDevice({})",
          current, wanted, wanted);
  const DeviceRuntime::Memory found = runtime.memoryOf(memory);
  require(found.isUsable(), "pointer {}: {}; want memory of GPU {}, which the communicator uses",
          static_cast<const void*>(memory), textOf(found), wanted);
  const DeviceRuntime::Allocation allocation = runtime.allocationOf(memory);
  return {allocation, requireWhole(runtime, memory, bytes, allocation)};
}

}  // namespace ulysses
