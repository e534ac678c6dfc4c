// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "path/cuda/runtime.h"
#include "path/shm/segment.h"

namespace ulysses {

/// Zeroed memory of this process as ulyssesMemAlloc gives it, which peers of this host can map, and which the GPU
/// reaches too. It outlives the driver, which lets go of its own memory when the process exits.
class HostImage {
 public:
  /// Throws OutOfMemory, SystemError.
  HostImage(DeviceRuntime& runtime, int64_t bytes);
  ~HostImage();
  HostImage(const HostImage&) = delete;
  HostImage& operator=(const HostImage&) = delete;

  std::byte* data() const { return segment_->base; }
  std::byte* onDevice() const { return onDevice_; }

 private:
  DeviceRuntime& runtime_;
  std::shared_ptr<Segment> segment_;
  std::byte* onDevice_ = nullptr;
};

/// Registered device memory of this rank, and the image that each range has in host memory. Thread-safe.
class HostImages {
 public:
  void add(const std::byte* memory, int64_t bytes, std::shared_ptr<HostImage> image);
  void remove(const HostImage* image);

  struct Place {
    std::byte *data, *onDevice;
  };
  /// Where the device memory [begin, end) has its image, as the host and as the GPU knows it.
  std::optional<Place> find(const std::byte* begin, const std::byte* end) const;
  /// Whether [begin, end) of the host's memory is in an image still.
  bool holdsImage(const std::byte* begin, const std::byte* end) const;

 private:
  struct Range {
    const std::byte* memory;
    int64_t bytes;
    std::shared_ptr<HostImage> image;
  };
  mutable std::mutex mutex_;
  std::vector<Range> all_;
};

}  // namespace ulysses
