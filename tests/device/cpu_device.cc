// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <thread>

#include "base/check.h"
#include "cpu_ranks.h"
#include "test_device.h"

namespace ulysses::test {
namespace {

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

/// Device memory is host memory that it gave out, kernels are threads.
class CpuRuntime : public DeviceRuntime {
 public:
  ~CpuRuntime() override { EXPECT_EQ(sizes_.size(), 0u) << "device memory was not freed"; }

  Memory memoryOf(const void* pointer) override {
    for (const auto& [base, bytes] : sizes_)
      if (base <= pointer && pointer < base + bytes) return {true, base, bytes};
    return {};
  }
  std::byte* allocate(std::int64_t bytes) override {
    auto* const memory = static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kAlignment));
    std::memset(memory, 0, static_cast<std::size_t>(bytes));
    sizes_[memory] = bytes;
    return memory;
  }
  std::byte* allocateShared(std::int64_t bytes) override { return allocate(bytes); }
  void free(std::byte* memory) noexcept override {
    EXPECT_EQ(sizes_.erase(memory), 1u) << "freed what was not allocated";
    ::operator delete(memory, kAlignment);
  }
  void write(std::byte* to, const void* from, std::int64_t bytes) override {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
  Handle exportMemory(std::byte* base) override {
    require(sizes_.contains(base), "{} is not the base of an allocation", static_cast<const void*>(base));
    Handle handle{};
    std::memcpy(handle.data(), &base, sizeof(base));
    return handle;
  }
  std::byte* openMemory(const Handle& handle) override {
    std::byte* base = nullptr;
    std::memcpy(&base, handle.data(), sizeof(base));
    return base;
  }
  void closeMemory(std::byte*) noexcept override {}
  std::array<std::byte, 16> deviceId() override { return {}; }
  int residentBlocks() override { return 6; }
  void launch(const device::Arguments& call, int blocks, void* stream) override {
    static_cast<CpuStream*>(stream)->enqueue(
        [call, blocks] { test::launch(call, static_cast<std::uint32_t>(blocks), 2); });
  }

 private:
  static constexpr std::align_val_t kAlignment{256};  // as cudaMalloc's
  std::map<std::byte*, std::int64_t> sizes_;
};

class CpuDevice : public TestDevice {
 public:
  DeviceRuntime& runtime() override { return runtime_; }
  void* stream() override { return &stream_; }
  void wait() override { stream_.wait(); }
  std::vector<std::byte> read(const std::byte* from, std::size_t bytes) override { return {from, from + bytes}; }

 private:
  CpuRuntime runtime_;
  CpuStream stream_;
};

}  // namespace

std::unique_ptr<TestDevice> makeTestDevice() { return std::make_unique<CpuDevice>(); }

std::uint64_t deviceCases() {
  const char* const text = std::getenv("ULYSSES_TEST_CASES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) / 50 + 1 : 40;
}

}  // namespace ulysses::test
