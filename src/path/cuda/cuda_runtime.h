// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/device/launch.h"
#include "path/cuda/runtime.h"

struct CUstream_st;  // CUDA's

namespace ulysses {

/// CUDA on one GPU: that which is current to the thread that makes it, and must be to every thread that uses it.
class CudaRuntime : public DeviceRuntime {
 public:
  /// Loads the exchange kernels. Throws NotSupported where there is no driver or no GPU.
  CudaRuntime();

  Memory memoryOf(const void* pointer) override;
  Allocation allocationOf(const void* pointer) override;
  bool isMapped(const void* pointer) override;
  int device() const override { return device_; }
  int currentDevice() const override;
  uint64_t context() override;
  std::byte* allocate(int64_t bytes) override;
  std::byte* allocateShared(int64_t bytes) override;
  std::byte* share(std::byte* pages, int64_t bytes) override;
  void free(std::byte* memory) noexcept override;
  std::byte* reachHost(std::byte* memory, int64_t bytes) override;
  void leaveHost(std::byte* memory) noexcept override;
  void write(std::byte* to, const void* from, int64_t bytes) override;
  void read(void* to, const std::byte* from, int64_t bytes) override;
  void store(std::byte* to, const std::byte* from, int64_t bytes) override;
  Handle exportMemory(std::byte* base) override;
  std::byte* openMemory(const Handle& handle) override;
  void closeMemory(std::byte* memory) noexcept override;
  void reach(std::byte* memory) override;
  UniqueFd exportMapping(std::byte* base) override;
  std::byte* reserve(int64_t bytes) override;
  void unreserve(std::byte* base, int64_t bytes) noexcept override;
  void map(std::byte* at, int64_t bytes, int fd) override;
  void unmap(std::byte* at, int64_t bytes) noexcept override;
  void reachMappings(std::byte* base, int64_t bytes) override;
  std::array<std::byte, 16> deviceId() override;
  int residentBlocks(bool sums) override { return sums ? resident_.ofSum : resident_.ofPush; }
  void launch(const device::Arguments& call, int blocks, void* stream) override;
  void launchCopies(const device::ShardCopies& copies, int blocks, void* stream) override;
  void launchHandover(const device::HandoverCall& call, void* stream) override;
  void copy(std::byte* to, const std::byte* from, const PitchedShape& shape, void* stream) override;
  void finish() noexcept override;
  void raise(uint32_t* word) noexcept override;

  struct DestroyStream {
    void operator()(CUstream_st* stream) const;
  };

 private:
  int device_ = 0;
  device::ResidentBlocks resident_;
  struct FreeHost {
    void operator()(uint32_t* word) const;
  };
  /// For what must not wait for exchanges: of a priority that streams of the caller's seldom have, as those of one
  /// priority may share a hardware queue.
  std::unique_ptr<CUstream_st, DestroyStream> aside_;
  std::unique_ptr<uint32_t, FreeHost> one_;  // 1, where copy engines reach it: kernels may have no room
};

}  // namespace ulysses
