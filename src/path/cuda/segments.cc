// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/segments.h"

#include <algorithm>

#include "base/check.h"

namespace ulysses {

Segments::Segments(DeviceRuntime& runtime, int rank, int nRanks)
    : runtime_(runtime),
      rank_(rank),
      nRanks_(nRanks),
      host_(static_cast<size_t>(nRanks) * kMost),
      used_(kMost),
      windows_(kMost) {
  table_ = upload(runtime_, host_);
}

uint32_t Segments::add(std::span<const device::Segment> ofRanks, bool window) {
  const auto free = std::find(used_.begin(), used_.end(), false);
  if (free == used_.end())
    raise(Result::OutOfMemory,
          "{} ranges of device memory are registered already; take tensors from fewer, larger ones", kMost);
  const auto index = static_cast<uint32_t>(free - used_.begin());
  *free = true;
  windows_[index] = window;
  for (int rank = 0; rank < nRanks_; ++rank) at(rank, index) = ofRanks[static_cast<size_t>(rank)];
  write();
  return index;
}

void Segments::remove(uint32_t index) {
  for (int rank = 0; rank < nRanks_; ++rank) at(rank, index) = {};
  write();
  used_[index] = false;
}

void Segments::write() {
  runtime_.write(table_.data(), host_.data(), static_cast<int64_t>(host_.size() * sizeof(device::Segment)));
}

std::optional<Segments::Found> Segments::find(const std::byte* begin, const std::byte* end) const {
  std::optional<Found> found;
  for (uint32_t index = 0; index < kMost; ++index) {
    const device::Segment& own = of(rank_, index);
    if (own.base == nullptr || begin < own.base || end > own.base + own.bytes) continue;
    if (windows_[index]) return Found{index, begin - own.base};
    if (!found) found = Found{index, begin - own.base};
  }
  return found;
}

}  // namespace ulysses
