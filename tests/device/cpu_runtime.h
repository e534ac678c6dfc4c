// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "path/cuda/runtime.h"

namespace ulysses::test {

/// Work that was recorded, as in a CUDA graph.
using CpuGraph = std::vector<std::function<void()>>;

/// What is enqueued runs in order, on threads, or is recorded.
class CpuStream {
 public:
  template <typename Fn>
  void enqueue(Fn&& fn) {
    if (recorded_ != nullptr) {
      recorded_->emplace_back(std::forward<Fn>(fn));
      return;
    }
    last_ = std::jthread([before = std::move(last_), fn = std::forward<Fn>(fn)]() mutable {
      if (before.joinable()) before.join();
      fn();
    });
  }
  void wait() {
    if (last_.joinable()) last_.join();
  }
  void beginCapture(CpuGraph& graph) { recorded_ = &graph; }
  void endCapture() { recorded_ = nullptr; }
  bool captures() const { return recorded_ != nullptr; }
  void launch(const CpuGraph& graph) {
    for (const auto& node : graph) enqueue(node);
  }

 private:
  std::jthread last_;
  CpuGraph* recorded_ = nullptr;
};

/// GPUs that are this process: device memory is host memory that they gave out, kernels are threads, streams
/// CpuStreams. As with CUDA, a runtime is of the one that is current to the thread that makes it.
class CpuRuntime : public DeviceRuntime {
 public:
  /// Makes a GPU current to this thread: 0 at first.
  static void setDevice(int device);

  Memory memoryOf(const void* pointer) override;
  Allocation allocationOf(const void* pointer) override;
  bool isMapped(const void* pointer) override;
  int device() const override { return device_; }
  int currentDevice() const override;
  std::uint64_t context() override { return static_cast<std::uint64_t>(device_); }
  std::byte* allocate(std::int64_t bytes) override { return allocate(MemoryKind::Device, bytes); }
  std::byte* allocateShared(std::int64_t bytes) override { return allocate(MemoryKind::Host, bytes); }
  std::byte* share(std::byte* pages, std::int64_t) override { return pages; }
  /// Managed memory has no handle, as with CUDA; so has what was not allocated to have one.
  std::byte* allocate(MemoryKind kind, std::int64_t bytes, bool hasHandle = true);
  /// Device memory of several allocations side by side, each of so many bytes: by cuMemMap, or neighbours by chance.
  /// Freed as one.
  std::byte* allocateSideBySide(std::int64_t bytes, std::int64_t each, bool mapped);
  /// The same of whole pages, mapped, each with a descriptor for other processes.
  std::byte* allocateExportable(std::int64_t bytes, std::int64_t each);
  void free(std::byte* memory) noexcept override;
  std::byte* reachHost(std::byte* memory, std::int64_t bytes) override;
  void leaveHost(std::byte* memory) noexcept override;
  void abandon(std::byte* memory) noexcept override;
  void write(std::byte* to, const void* from, std::int64_t bytes) override;
  void read(void* to, const std::byte* from, std::int64_t bytes) override;
  void store(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  Handle exportMemory(std::byte* base) override;
  std::byte* openMemory(const Handle& handle) override;
  void closeMemory(std::byte*) noexcept override {}
  void reach(std::byte* memory) override;
  UniqueFd exportMapping(std::byte* base) override;
  std::byte* reserve(std::int64_t bytes) override;
  void unreserve(std::byte* base, std::int64_t bytes) noexcept override;
  void map(std::byte* at, std::int64_t bytes, int fd) override;
  void unmap(std::byte* at, std::int64_t bytes) noexcept override;
  void reachMappings(std::byte* base, std::int64_t bytes) override;
  std::array<std::byte, 16> deviceId() override { return {static_cast<std::byte>(device_)}; }
  int residentBlocks(bool sums) override { return sums ? 6 : 9; }
  void launch(const device::Arguments& call, int blocks, void* stream) override;
  void launchCopies(const device::ShardCopies& copies, int blocks, void* stream) override;
  void launchHandover(const device::HandoverCall& call, void* stream) override;
  void copy(std::byte* to, const std::byte* from, const PitchedShape& shape, void* stream) override;
  void finish() noexcept override;
  void raise(std::uint32_t* word) noexcept override;

  /// Device memory is taken from there from now on, never twice. Other processes that have it mapped at the same
  /// address are then ranks as any.
  static void allocateFrom(std::span<std::byte> pages);
  /// Allocations that were not freed, of all.
  static std::size_t held();
  /// Allocations that were written to after they were freed, since it was asked the last time.
  static std::size_t spoiled();
  /// How often something was asked for that CUDA asks its driver for, launches left out, by all.
  static std::size_t driverCalls();
  /// What becomes of exchanges on a GPU: they run; or not before that changes; or never; or all blocks but the last do.
  enum class Fate : std::uint8_t { Run, Wait, Never, CutShort };
  static void setFate(int device, Fate fate);
  /// Launches of copies, of all.
  static std::size_t copyLaunches();
  /// Makes an allocation one that other GPUs cannot reach, though it has a handle.
  static void hide(std::byte* base);
  /// The same of all memory of so many bytes that will be allocated; 0: of none.
  static void hideAllOf(std::int64_t bytes);
  /// What kernels of a GPU store to other GPUs is lost; -1: of none.
  static void loseStoresOf(int device);
  /// Copies that were enqueued, of all.
  static int copies();
  /// Pinning so many bytes of host memory for a GPU fails, as CUDA may; -1: for none.
  static void failReach(int device, std::int64_t bytes);
  /// Mapping a descriptor for a GPU fails, as CUDA may; -1: for none.
  static void failMap(int device);
  /// What happens at the n-th descriptor that is exported from now on, instead: it throws, as CUDA may, or worse.
  static void atExport(int n, void (*happens)());
  /// Lets the n-th copy from now on fail, as CUDA may; 0: none.
  static void failCopy(int n);
  static void letCopiesRace(bool racing);
  /// Of all launches since it was asked the last time, the most blocks.
  static int mostBlocks();

 private:
  template <typename Fn>
  void enqueue(void* stream, Fn&& fn);

  int device_ = currentDevice();
  std::shared_ptr<std::atomic<int>> running_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace ulysses::test
