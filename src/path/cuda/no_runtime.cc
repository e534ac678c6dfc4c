// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of cuda_runtime.cc, where the library is built without CUDA.
#include "base/check.h"
#include "path/cuda/runtime.h"

namespace ulysses {

std::unique_ptr<DeviceRuntime> makeDeviceRuntime() {
  raise(Result::NotSupported, "the library was built without CUDA; build it where nvcc is, with -Dcuda=enabled");
}

MemoryKind memoryKindOf(const void*) noexcept { return MemoryKind::Unknown; }

}  // namespace ulysses
