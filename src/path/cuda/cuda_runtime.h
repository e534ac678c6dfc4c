// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "path/cuda/runtime.h"

namespace ulysses {

/// CUDA on one GPU: that which is current to the thread that makes it, and must be to every thread that uses it.
class CudaRuntime : public DeviceRuntime {
 public:
  /// Loads the exchange kernels. Throws NotSupported where there is no driver or no GPU.
  CudaRuntime();

  Memory memoryOf(const void* pointer) override;
  std::byte* allocate(int64_t bytes) override;
  std::byte* allocateShared(int64_t bytes) override;
  void free(std::byte* memory) noexcept override;
  void write(std::byte* to, const void* from, int64_t bytes) override;
  Handle exportMemory(std::byte* base) override;
  std::byte* openMemory(const Handle& handle) override;
  void closeMemory(std::byte* memory) noexcept override;
  std::array<std::byte, 16> deviceId() override;
  int residentBlocks() override { return residentBlocks_; }
  void launch(const device::Arguments& call, int blocks, void* stream) override;

 private:
  int device_ = 0, residentBlocks_ = 0;
};

}  // namespace ulysses
