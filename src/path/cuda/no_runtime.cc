// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of cuda_runtime.cc, where the library is built without CUDA.
#include "base/check.h"
#include "path/cuda/runtime.h"

namespace ulysses {

namespace {
[[noreturn]] void refuse() {
  raise(Result::NotSupported, "the library was built without CUDA; build it where nvcc is, with -Dcuda=enabled");
}
}  // namespace

std::unique_ptr<DeviceRuntime> makeDeviceRuntime() { refuse(); }
std::byte* allocateDeviceMemory(int64_t) { refuse(); }
void freeDeviceMemory(std::byte*) { refuse(); }

MemoryKind memoryKindOf(const void*) noexcept { return MemoryKind::Unknown; }

}  // namespace ulysses
