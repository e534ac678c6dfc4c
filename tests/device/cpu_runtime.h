// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <memory>
#include <thread>

#include "path/cuda/runtime.h"

namespace ulysses::test {

/// What is enqueued runs in order, on threads.
class CpuStream {
 public:
  template <typename Fn>
  void enqueue(Fn&& fn) {
    last_ = std::jthread([before = std::move(last_), fn = std::forward<Fn>(fn)]() mutable {
      if (before.joinable()) before.join();
      fn();
    });
  }
  void wait() {
    if (last_.joinable()) last_.join();
  }

 private:
  std::jthread last_;
};

/// A GPU that is this process: device memory is host memory that it gave out, kernels are threads, streams CpuStreams.
/// All of them are the same GPU.
class CpuRuntime : public DeviceRuntime {
 public:
  Memory memoryOf(const void* pointer) override;
  std::byte* allocate(std::int64_t bytes) override;
  std::byte* allocateShared(std::int64_t bytes) override { return allocate(bytes); }
  void free(std::byte* memory) noexcept override;
  void abandon(std::byte* memory) noexcept override;
  void write(std::byte* to, const void* from, std::int64_t bytes) override;
  Handle exportMemory(std::byte* base) override;
  std::byte* openMemory(const Handle& handle) override;
  void closeMemory(std::byte*) noexcept override {}
  void reach(std::byte*) override {}
  std::array<std::byte, 16> deviceId() override { return {}; }
  int residentBlocks() override { return 6; }
  void launch(const device::Arguments& call, int blocks, void* stream) override;
  void finish() noexcept override;
  void raise(std::uint32_t* word) noexcept override;

  /// Allocations that were not freed, of all.
  static std::size_t held();

 private:
  std::shared_ptr<std::atomic<int>> running_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace ulysses::test
