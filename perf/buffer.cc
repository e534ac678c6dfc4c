// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "clones.h"
#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

constexpr int kGuardValue = 0xa5;
constexpr int64_t kPlainAlignment = int64_t{2} << 20;

int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

int64_t countOther(const std::byte* begin, int64_t bytes) {
  return std::count_if(begin, begin + bytes, [](std::byte b) { return b != std::byte{kGuardValue}; });
}

// As wide as the machine can: the reader must not cost more than the exchange that it follows.
ULYSSES_PERF_CLONES void readWords(const std::byte* data, int64_t bytes) {
  typedef uint64_t Line __attribute__((vector_size(64), may_alias));
  const auto* lines = reinterpret_cast<const Line*>(data);
  Line a{}, b{}, c{}, d{};
  const int64_t count = bytes / static_cast<int64_t>(sizeof(Line));
  for (int64_t i = 0; i + 4 <= count; i += 4) {
    a ^= lines[i];
    b ^= lines[i + 1];
    c ^= lines[i + 2];
    d ^= lines[i + 3];
  }
  for (int64_t i = count / 4 * 4; i < count; ++i) a ^= lines[i];
  const Line all = a ^ b ^ c ^ d;
  uint64_t sum = 0;
  for (int i = 0; i < 8; ++i) sum ^= all[i];
  for (int64_t at = count * static_cast<int64_t>(sizeof(Line)); at < bytes; ++at)
    sum ^= static_cast<uint64_t>(data[at]);
  asm volatile("" ::"r"(sum));  // counts as used
}

}  // namespace

int64_t Buffer::storageBytes(int64_t bytes) { return kGuardBytes + roundUp(bytes + kGuardBytes, kPageBytes); }

Buffer::Buffer(std::byte* storage, int64_t bytes, Owner owner)
    : data_(storage + kGuardBytes), bytes_(bytes), owner_(owner) {
  std::memset(storage, kGuardValue, static_cast<size_t>(storageBytes(bytes)));  // and every page is there
}

Buffer Buffer::registered(int64_t bytes) {
  void* storage = nullptr;
  if (ulyssesMemAlloc(&storage, static_cast<size_t>(storageBytes(bytes))) != ulyssesSuccess) {
    throw RunError(fmt::format("ulyssesMemAlloc({}): {}", storageBytes(bytes), ulyssesGetLastError(nullptr)));
  }
  return {static_cast<std::byte*>(storage), bytes, Owner::kLibrary};
}

Buffer Buffer::plain(int64_t bytes) {
  const auto allocated = static_cast<size_t>(roundUp(storageBytes(bytes), kPlainAlignment));
  void* storage = std::aligned_alloc(static_cast<size_t>(kPlainAlignment), allocated);
  if (storage == nullptr) throw RunError(fmt::format("no memory for a tensor of {} bytes", bytes));
  return {static_cast<std::byte*>(storage), bytes, Owner::kHeap};
}

Buffer Buffer::within(std::byte* storage, int64_t bytes) { return {storage, bytes, Owner::kCaller}; }

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_), owner_(other.owner_) {}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  std::byte* storage = data_ - kGuardBytes;
  if (owner_ == Owner::kLibrary) (void)ulyssesMemFree(storage);
  if (owner_ == Owner::kHeap) std::free(storage);
}

void Buffer::poison() { std::memset(data_, 0xff, static_cast<size_t>(bytes_)); }

int64_t Buffer::damagedGuardBytes() const {
  const int64_t behind = storageBytes(bytes_) - kGuardBytes - bytes_;
  return countOther(data_ - kGuardBytes, kGuardBytes) + countOther(data_ + bytes_, behind);
}

void Buffer::rewrite() const {
  auto* words = reinterpret_cast<volatile uint64_t*>(data_);
  for (int64_t i = 0; i < bytes_ / 8; i += 8) words[i] = words[i];
}

void Buffer::readAll() const { readWords(data_, bytes_); }

}  // namespace ulysses::perf
