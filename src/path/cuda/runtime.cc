// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/runtime.h"

#include "base/check.h"

namespace ulysses {
namespace {

/// What a range of this GPU's memory lies in, from its begin to its end. Allocations that happen to be neighbours are
/// the caller's mistake; mappings belong together.
std::vector<DeviceRuntime::Allocation> partsOf(DeviceRuntime& runtime, std::byte* memory, int64_t bytes,
                                               bool isMapped) {
  std::vector<DeviceRuntime::Allocation> parts{runtime.allocationOf(memory)};
  const auto reached = [&] { return parts.back().base + parts.back().bytes; };
  while (isMapped && reached() < memory + bytes && runtime.isMapped(reached()) && runtime.memoryOf(reached()).onDevice)
    parts.push_back(runtime.allocationOf(reached()));
  require(memory + bytes <= reached(), "size={}: the allocation at {} ends {} bytes after pointer", bytes,
          static_cast<const void*>(parts.front().base), reached() - memory);
  return parts;
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
  const bool isMapped = found.onDevice && runtime.isMapped(memory);
  return {partsOf(runtime, memory, bytes, isMapped), isMapped};
}

}  // namespace ulysses
