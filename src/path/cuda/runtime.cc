// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/runtime.h"

#include "base/format.h"

namespace ulysses {

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

}  // namespace ulysses
