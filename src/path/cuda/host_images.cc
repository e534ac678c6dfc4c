// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/host_images.h"

#include <algorithm>

namespace ulysses {

HostImage::HostImage(DeviceRuntime& runtime, int64_t bytes)
    : runtime_(runtime), segment_(SegmentRegistry::instance().allocate(static_cast<size_t>(bytes))) {
  try {
    onDevice_ = runtime.reachHost(data(), bytes);
  } catch (...) {
    SegmentRegistry::instance().release(data(), true);
    throw;
  }
}

HostImage::~HostImage() {
  runtime_.leaveHost(data());
  SegmentRegistry::instance().release(data(), true);
}

void HostImages::add(const std::byte* memory, int64_t bytes, std::shared_ptr<HostImage> image) {
  const std::lock_guard lock(mutex_);
  all_.push_back({memory, bytes, std::move(image)});
}

void HostImages::remove(const HostImage* image) {
  const std::lock_guard lock(mutex_);
  std::erase_if(all_, [&](const Range& each) { return each.image.get() == image; });
}

std::optional<HostImages::Place> HostImages::find(const std::byte* begin, const std::byte* end) const {
  const std::lock_guard lock(mutex_);
  for (const Range& each : all_)
    if (each.memory <= begin && end <= each.memory + each.bytes)
      return Place{each.image->data() + (begin - each.memory), each.image->onDevice() + (begin - each.memory)};
  return std::nullopt;
}

bool HostImages::holdsImage(const std::byte* begin, const std::byte* end) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(
      all_, [&](const Range& each) { return each.image->data() <= begin && end <= each.image->data() + each.bytes; });
}

}  // namespace ulysses
