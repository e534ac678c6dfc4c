// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "cpu_runtime.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <span>
#include <vector>

#include "base/check.h"
#include "cpu_ranks.h"
#include "path/shm/memfd.h"

namespace ulysses::test {
namespace {

constexpr std::align_val_t kAlignment{256};  // as cudaMalloc's

struct Allocated {
  std::int64_t bytes;
  MemoryKind kind;
  int device;
  bool hasHandle, hidden;
  bool mapped = false;
  std::int64_t freedWith = 0;        // bytes behind it that are freed with it
  std::shared_ptr<UniqueFd> file{};  // of a mapping that can be exported
  bool isReserved = false;           // address space
};
using Allocations = std::map<std::byte*, Allocated>;
std::atomic<int> copied = 0, toFailure = 0, toExport = 0, unreaching = -1, unmappable = -1;
std::atomic<void (*)()> exportHappens = nullptr;
std::atomic<std::int64_t> unreachableBytes = 0;
std::atomic<bool> mayRace = false;

/// Byte by byte, unseen by the thread sanitizer.
__attribute__((no_sanitize("thread"))) void copyRacing(std::byte* to, const std::byte* from,
                                                       const PitchedShape& shape) {
  for (std::int64_t slice = 0; slice < shape.depth; ++slice)
    for (std::int64_t row = 0; row < shape.height; ++row)
      for (std::int64_t i = 0; i < shape.width; ++i) {
        const volatile std::byte* const source = from + shape.offsetOf(shape.source, slice, row) + i;
        *const_cast<volatile std::byte*>(to + shape.offsetOf(shape.destination, slice, row) + i) = *source;
      }
}

std::atomic<int> launchedBlocks = 0;

std::mutex mutex;
Allocations& allocations() {
  static Allocations all;
  return all;
}

/// Locked: the allocation that a pointer is in, or the end.
Allocations::const_iterator find(const void* pointer) {
  return std::ranges::find_if(allocations(), [&](const auto& each) {
    return each.first <= pointer && pointer < each.first + each.second.bytes;
  });
}

/// Freed memory is kept until spoiled() has looked at it; what reads an address from it does not come far.
constexpr unsigned char kFreed = 0xDB;
std::vector<std::span<std::byte>>& quarantine() {
  static std::vector<std::span<std::byte>> all;
  return all;
}
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitizerQuarantines = true;
#else
constexpr bool kSanitizerQuarantines = false;
#endif

/// Locked: what is left of the pages that processes share, and their beginning.
std::span<std::byte> shared;
std::byte* sharedBegin = nullptr;

std::byte* takeShared(std::int64_t bytes) {
  constexpr std::size_t kStep = static_cast<std::size_t>(kAlignment);
  const std::size_t whole = (static_cast<std::size_t>(bytes) + kStep - 1) / kStep * kStep;
  require(whole <= shared.size(), "{} bytes are more than are left of the pages that processes share", bytes);
  std::byte* const memory = shared.data();
  shared = shared.subspan(whole);
  return memory;
}

std::byte* takeOwn(std::int64_t bytes) {
  auto* const memory = static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kAlignment));
  std::memset(memory, 0, static_cast<std::size_t>(bytes));
  return memory;
}

thread_local int current = 0;
std::array<std::atomic<CpuRuntime::Fate>, 8> fates;
std::atomic<std::size_t> calls = 0, shadowCopies = 0;
std::atomic<std::int64_t> hiddenBytes = 0;
std::atomic<int> losing = -1;

}  // namespace

void CpuRuntime::setDevice(int device) { current = device; }
int CpuRuntime::currentDevice() const { return current; }
std::size_t CpuRuntime::driverCalls() { return calls; }
std::size_t CpuRuntime::copyLaunches() { return shadowCopies; }
void CpuRuntime::setFate(int device, Fate fate) {
  fates.at(static_cast<std::size_t>(device)) = fate;
  fates.at(static_cast<std::size_t>(device)).notify_all();
}
void CpuRuntime::hideAllOf(std::int64_t bytes) { hiddenBytes = bytes; }

void CpuRuntime::hide(std::byte* base) {
  const std::lock_guard lock(mutex);
  allocations().at(base).hidden = true;
}

void CpuRuntime::allocateFrom(std::span<std::byte> pages) {
  const std::lock_guard lock(mutex);
  shared = pages;
  sharedBegin = pages.data();
}

std::size_t CpuRuntime::held() {
  const std::lock_guard lock(mutex);
  return allocations().size();
}

DeviceRuntime::Memory CpuRuntime::memoryOf(const void* pointer) {
  ++calls;
  const std::lock_guard lock(mutex);
  const auto found = find(pointer);
  if (found == allocations().end()) return {};
  const Allocated& is = found->second;
  return {is.kind, is.device, is.kind == MemoryKind::Device && is.device == device_};
}

DeviceRuntime::Allocation CpuRuntime::allocationOf(const void* pointer) {
  ++calls;
  const std::lock_guard lock(mutex);
  const auto found = find(pointer);
  require(found != allocations().end(), "{} is in no allocation", pointer);
  return {found->first, found->second.bytes};
}

bool CpuRuntime::isMapped(const void* pointer) {
  ++calls;
  const std::lock_guard lock(mutex);
  const auto found = find(pointer);
  return found != allocations().end() && found->second.mapped;
}

std::byte* CpuRuntime::allocateSideBySide(std::int64_t bytes, std::int64_t each, bool mapped) {
  const std::lock_guard lock(mutex);
  std::byte* const memory = takeOwn(bytes);
  for (std::int64_t at = 0; at < bytes; at += each)
    allocations()[memory + at] = {.bytes = std::min(each, bytes - at),
                                  .kind = MemoryKind::Device,
                                  .device = device_,
                                  .hasHandle = !mapped,
                                  .hidden = false,
                                  .mapped = mapped,
                                  .freedWith = at == 0 ? bytes - std::min(each, bytes) : 0};
  return memory;
}

namespace {

std::byte* reservePages(std::int64_t bytes) {
  void* const space =
      mmap(nullptr, static_cast<std::size_t>(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) raiseErrno("mmap");
  return static_cast<std::byte*>(space);
}

void mapFile(std::byte* at, std::int64_t bytes, int fd) {
  const auto size = static_cast<std::size_t>(bytes);
  if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) raiseErrno("mmap");
}

}  // namespace

std::byte* CpuRuntime::allocateExportable(std::int64_t bytes, std::int64_t each) {
  std::byte* const memory = reservePages(bytes);
  const std::lock_guard lock(mutex);
  for (std::int64_t at = 0; at < bytes; at += each) {
    const std::int64_t size = std::min(each, bytes - at);
    auto file = std::make_shared<UniqueFd>(createMemfd("device memory", static_cast<std::size_t>(size)));
    mapFile(memory + at, size, file->get());
    allocations()[memory + at] = {.bytes = size,
                                  .kind = MemoryKind::Device,
                                  .device = device_,
                                  .hasHandle = false,
                                  .hidden = false,
                                  .mapped = true,
                                  .freedWith = at == 0 ? bytes - size : 0,
                                  .file = std::move(file)};
  }
  return memory;
}

std::byte* CpuRuntime::allocate(MemoryKind kind, std::int64_t bytes, bool hasHandle) {
  ++calls;
  const std::lock_guard lock(mutex);
  auto* const memory = kind == MemoryKind::Device && !shared.empty() ? takeShared(bytes) : takeOwn(bytes);
  allocations()[memory] = {.bytes = bytes,
                           .kind = kind,
                           .device = device_,
                           .hasHandle = hasHandle && kind == MemoryKind::Device,
                           .hidden = bytes == hiddenBytes};
  return memory;
}

void CpuRuntime::free(std::byte* memory) noexcept {
  ++calls;
  const std::lock_guard lock(mutex);
  const auto found = allocations().find(memory);
  ASSERT_NE(found, allocations().end()) << "freed what was not allocated";
  const auto bytes = static_cast<std::size_t>(found->second.bytes + found->second.freedWith);
  const bool isOfFiles = found->second.file != nullptr;
  std::erase_if(allocations(), [&](const auto& each) { return each.first >= memory && each.first < memory + bytes; });
  if (isOfFiles) {
    munmap(memory, bytes);
    return;
  }
  if (sharedBegin != nullptr && memory >= sharedBegin && memory < shared.data()) return;
  if (kSanitizerQuarantines) return ::operator delete(memory, kAlignment);
  std::memset(memory, kFreed, bytes);
  quarantine().emplace_back(memory, bytes);
}

std::size_t CpuRuntime::spoiled() {
  const std::lock_guard lock(mutex);
  const std::size_t spoiled =
      static_cast<std::size_t>(std::ranges::count_if(quarantine(), [](const std::span<std::byte>& freed) {
        return std::ranges::any_of(freed, [](std::byte byte) { return byte != std::byte{kFreed}; });
      }));
  for (const std::span<std::byte>& freed : quarantine()) ::operator delete(freed.data(), kAlignment);
  quarantine().clear();
  return spoiled;
}

std::byte* CpuRuntime::reachHost(std::byte* memory, std::int64_t bytes) {
  ++calls;
  if (unreaching == device_ && unreachableBytes == bytes)
    ulysses::raise(Result::SystemError, "the test's pinning failed");
  const std::lock_guard lock(mutex);
  allocations()[memory] = {bytes, MemoryKind::Host, device_, false, false};
  return memory;
}

void CpuRuntime::leaveHost(std::byte* memory) noexcept {
  ++calls;
  const std::lock_guard lock(mutex);
  EXPECT_EQ(allocations().erase(memory), 1u) << "left what was not reached";
}

void CpuRuntime::abandon(std::byte* memory) noexcept {
  static auto& all =
      *new std::vector<std::byte*>;  // so that it is no leak; NOLINT(bugprone-unhandled-exception-at-new)
  const std::lock_guard lock(mutex);
  all.push_back(memory);
  allocations().erase(memory);
}

void CpuRuntime::write(std::byte* to, const void* from, std::int64_t bytes) {
  ++calls;
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void CpuRuntime::read(void* to, const std::byte* from, std::int64_t bytes) {
  ++calls;
  if (bytes == sizeof(std::uint64_t)) {  // kernels may be writing it
    auto* const word = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(from));
    const std::uint64_t value = std::atomic_ref(*word).load(std::memory_order_acquire);
    std::memcpy(to, &value, sizeof(value));
    return;
  }
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void CpuRuntime::store(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (device_ == losing && memoryOf(to).device != device_) return;
  test::launchCopies(device::oneRow(to, from, static_cast<std::uint32_t>(bytes)), 1, 2);
}

void CpuRuntime::loseStoresOf(int device) { losing = device; }

DeviceRuntime::Handle CpuRuntime::exportMemory(std::byte* base) {
  require(allocationOf(base).base == base, "{} is not the base of an allocation", static_cast<const void*>(base));
  {
    const std::lock_guard lock(mutex);
    if (!allocations().at(base).hasHandle) ulysses::raise(Result::SystemError, "it has no handle");
  }
  Handle handle{};
  std::memcpy(handle.data(), &base, sizeof(base));
  return handle;
}

std::byte* CpuRuntime::openMemory(const Handle& handle) {
  std::byte* base = nullptr;
  std::memcpy(&base, handle.data(), sizeof(base));
  return base;
}

void CpuRuntime::reach(std::byte* memory) {
  ++calls;
  const std::lock_guard lock(mutex);
  const auto found = find(memory);
  require(found != allocations().end(), "{} is in no allocation", static_cast<const void*>(memory));
  const Allocated& is = found->second;
  if (is.device != device_ && (is.hidden || !is.hasHandle))
    ulysses::raise(Result::NotSupported, "GPU {} cannot reach this memory of GPU {}", device_, is.device);
}

UniqueFd CpuRuntime::exportMapping(std::byte* base) {
  const std::lock_guard lock(mutex);
  const Allocated& is = allocations().at(base);
  if (toExport > 0 && --toExport == 0) exportHappens.load()();
  if (!is.file) ulysses::raise(Result::NotSupported, "it has no handle: it was not made to be exported");
  UniqueFd fd(fcntl(is.file->get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) raiseErrno("exporting a mapping");
  return fd;
}

std::byte* CpuRuntime::reserve(std::int64_t bytes) {
  std::byte* const space = reservePages(bytes);
  const std::lock_guard lock(mutex);
  allocations()[space] = {.bytes = bytes,
                          .kind = MemoryKind::Device,
                          .device = device_,
                          .hasHandle = false,
                          .hidden = false,
                          .isReserved = true};
  return space;
}

void CpuRuntime::unreserve(std::byte* base, std::int64_t bytes) noexcept {
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(allocations().at(base).isReserved && allocations().at(base).bytes == bytes);
  EXPECT_EQ(allocations().at(base).freedWith, 0) << "something is mapped there";
  allocations().erase(base);
  munmap(base, static_cast<std::size_t>(bytes));
}

void CpuRuntime::map(std::byte* at, std::int64_t bytes, int fd) {
  const std::lock_guard lock(mutex);
  const auto space = find(at);
  ASSERT_TRUE(space != allocations().end() && space->second.isReserved);
  if (unmappable == device_) ulysses::raise(Result::SystemError, "the test's mapping failed");
  mapFile(at, bytes, fd);
  allocations().at(space->first).freedWith += bytes;
}

void CpuRuntime::unmap(std::byte* at, std::int64_t bytes) noexcept {
  const std::lock_guard lock(mutex);
  const auto space = find(at);
  ASSERT_TRUE(space != allocations().end() && space->second.isReserved);
  allocations().at(space->first).freedWith -= bytes;
  EXPECT_EQ(mprotect(at, static_cast<std::size_t>(bytes), PROT_NONE), 0);
}

void CpuRuntime::reachMappings(std::byte* base, std::int64_t bytes) {
  ++calls;
  const std::lock_guard lock(mutex);
  for (std::byte* at = base; at < base + bytes;) {
    const auto found = find(at);
    require(found != allocations().end() && found->first == at && found->second.mapped, "{} is no mapping",
            static_cast<const void*>(at));
    if (found->second.hidden)
      ulysses::raise(Result::NotSupported, "GPU {} cannot reach this memory of GPU {}", device_, found->second.device);
    at += found->second.bytes;
  }
}

void CpuRuntime::failMap(int device) { unmappable = device; }
void CpuRuntime::atExport(int n, void (*happens)()) {
  toExport = n;
  exportHappens = happens;
}

template <typename Fn>
void CpuRuntime::enqueue(void* stream, Fn&& fn) {
  auto* const on = static_cast<CpuStream*>(stream);
  if (on->captures()) return on->enqueue(std::forward<Fn>(fn));
  ++*running_;
  on->enqueue([fn = std::forward<Fn>(fn), running = running_] {
    fn();
    --*running;
    running->notify_all();
  });
}

int CpuRuntime::mostBlocks() { return launchedBlocks.exchange(0); }

void CpuRuntime::launch(const device::Arguments& call, int blocks, void* stream) {
  for (int before = launchedBlocks; before < blocks && !launchedBlocks.compare_exchange_weak(before, blocks);) {
  }
  enqueue(stream, [call, blocks, &fate = fates.at(static_cast<std::size_t>(device_))] {
    fate.wait(Fate::Wait);
    const auto all = static_cast<std::uint32_t>(blocks);
    if (fate != Fate::Never) test::launch(call, all, 2, fate == Fate::CutShort ? all - 1 : all);
  });
}

void CpuRuntime::launchCopies(const device::ShardCopies& call, int blocks, void* stream) {
  ++shadowCopies;
  enqueue(stream, [call, blocks] { test::launchCopies(call, static_cast<std::uint32_t>(blocks), 2); });
}

void CpuRuntime::launchHandover(const device::HandoverCall& call, void* stream) {
  enqueue(stream, [call, &fate = fates.at(static_cast<std::size_t>(device_))] {
    fate.wait(Fate::Wait);
    if (fate != Fate::Never) test::launchHandover(call, 2);
  });
}

void CpuRuntime::copy(std::byte* to, const std::byte* from, const PitchedShape& shape, void* stream) {
  if (toFailure > 0 && --toFailure == 0) ulysses::raise(Result::SystemError, "the test's copy failed");
  ++copied;
  enqueue(stream, [=] { mayRace ? copyRacing(to, from, shape) : copyPitched(to, from, shape); });
}

int CpuRuntime::copies() { return copied; }
void CpuRuntime::failReach(int device, std::int64_t bytes) {
  unreachableBytes = bytes;
  unreaching = device;
}
void CpuRuntime::failCopy(int n) { toFailure = n; }
void CpuRuntime::letCopiesRace(bool racing) { mayRace = racing; }

void CpuRuntime::finish() noexcept {
  for (int now = running_->load(); now != 0; now = running_->load()) running_->wait(now);
}

void CpuRuntime::raise(std::uint32_t* word) noexcept { std::atomic_ref(*word).store(1, std::memory_order_release); }

}  // namespace ulysses::test
