// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/plan_memory.h"

#include <algorithm>
#include <bit>

namespace ulysses {
namespace {

// Sizes are powers of two, so that plans of about one size can have each other's.
constexpr uint64_t kSmallest = 4096;

}  // namespace

PlanMemory::Block PlanMemory::take(std::span<const std::byte> image) {
  const auto bytes = static_cast<int64_t>(std::bit_ceil(std::max<uint64_t>(image.size(), kSmallest)));
  std::vector<std::byte*>& free = free_[bytes];
  if (free.empty()) collect();
  if (free.empty()) {
    waiting_.reserve(all_.size() + 1);
    all_.push_back(DeviceMemory(runtime_, runtime_.allocate(bytes)));
    free.push_back(all_.back().data());
  }
  Block block(free.back(), GiveBack{this, bytes});
  free.pop_back();
  runtime_.write(block.get(), image.data(), std::ssize(image));
  return block;
}

/// Launches of one rank end in their order. A graph's are numbered as when it was captured: one that is replayed may
/// take the number back, until the next launch.
void PlanMemory::collect() {
  if (waiting_.empty()) return;
  uint64_t ended = 0;
  runtime_.read(&ended, reinterpret_cast<const std::byte*>(ended_), sizeof(ended));
  const auto still = std::ranges::find_if(waiting_, [&](const Waiting& each) { return each.launch > ended; });
  std::for_each(waiting_.begin(), still, [&](const Waiting& each) { free_[each.bytes].push_back(each.block); });
  waiting_.erase(waiting_.begin(), still);
}

}  // namespace ulysses
