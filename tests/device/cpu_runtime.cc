// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "cpu_runtime.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "base/check.h"
#include "cpu_ranks.h"

namespace ulysses::test {
namespace {

constexpr std::align_val_t kAlignment{256};  // as cudaMalloc's

std::mutex mutex;
std::map<std::byte*, std::int64_t>& sizes() {
  static std::map<std::byte*, std::int64_t> all;
  return all;
}

}  // namespace

std::size_t CpuRuntime::held() {
  const std::lock_guard lock(mutex);
  return sizes().size();
}

DeviceRuntime::Memory CpuRuntime::memoryOf(const void* pointer) {
  const std::lock_guard lock(mutex);
  for (const auto& [base, bytes] : sizes())
    if (base <= pointer && pointer < base + bytes) return {true, base, bytes};
  return {};
}

std::byte* CpuRuntime::allocate(std::int64_t bytes) {
  auto* const memory = static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kAlignment));
  std::memset(memory, 0, static_cast<std::size_t>(bytes));
  const std::lock_guard lock(mutex);
  sizes()[memory] = bytes;
  return memory;
}

void CpuRuntime::free(std::byte* memory) noexcept {
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(sizes().erase(memory), 1u) << "freed what was not allocated";
  }
  ::operator delete(memory, kAlignment);
}

void CpuRuntime::abandon(std::byte* memory) noexcept {
  static auto& all = *new std::vector<std::byte*>;  // so that it is no leak
  const std::lock_guard lock(mutex);
  all.push_back(memory);
  sizes().erase(memory);
}

void CpuRuntime::write(std::byte* to, const void* from, std::int64_t bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

DeviceRuntime::Handle CpuRuntime::exportMemory(std::byte* base) {
  const Memory memory = memoryOf(base);
  require(memory.base == base, "{} is not the base of an allocation", static_cast<const void*>(base));
  Handle handle{};
  std::memcpy(handle.data(), &base, sizeof(base));
  return handle;
}

std::byte* CpuRuntime::openMemory(const Handle& handle) {
  std::byte* base = nullptr;
  std::memcpy(&base, handle.data(), sizeof(base));
  return base;
}

void CpuRuntime::launch(const device::Arguments& call, int blocks, void* stream) {
  ++*running_;
  static_cast<CpuStream*>(stream)->enqueue([call, blocks, running = running_] {
    test::launch(call, static_cast<std::uint32_t>(blocks), 2);
    --*running;
    running->notify_all();
  });
}

void CpuRuntime::finish() noexcept {
  for (int now = running_->load(); now != 0; now = running_->load()) running_->wait(now);
}

void CpuRuntime::raise(std::uint32_t* word) noexcept { std::atomic_ref(*word).store(1, std::memory_order_release); }

}  // namespace ulysses::test
