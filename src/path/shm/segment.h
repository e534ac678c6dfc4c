// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/mapping.h"
#include "base/unique_fd.h"

namespace ulysses {

/// Memory of this process that peers can map: [base, base + bytes) is the file `fd` from `offset` on.
struct Segment {
  uint64_t id = 0;  // never used again in this process: stands for the generation too
  std::byte* base = nullptr;
  size_t bytes = 0;
  UniqueFd fd;
  int64_t offset = 0;
  Mapping owned;  // empty when the caller mapped it
  std::atomic<bool> freed{false};
};

/// The segments of this process: process-wide, since memory outlives and is shared by communicators. Thread-safe. The
/// data path does not come here: it keeps a snapshot and only compares `epoch`.
class SegmentRegistry {
 public:
  static SegmentRegistry& instance();

  /// A new zeroed segment of its own memfd. Throws OutOfMemory, SystemError.
  std::shared_ptr<Segment> allocate(size_t bytes);
  /// Caller's memory backed by fd. Throws InvalidArgument naming what does not fit.
  std::shared_ptr<Segment> adopt(void* pointer, size_t bytes, int fd, int64_t offset);
  /// Forget a segment by its base; false when there is no such one of that kind.
  bool release(const void* base, bool owned);
  /// The segment that holds all of [begin, begin + bytes), or nullptr.
  std::shared_ptr<Segment> find(const void* begin, size_t bytes);

  /// Changes whenever a segment comes or goes.
  uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }
  /// All segments, by base address.
  std::vector<std::shared_ptr<Segment>> snapshot();

 private:
  SegmentRegistry();
  std::shared_ptr<Segment> add(std::shared_ptr<Segment> segment);

  std::mutex mutex_;
  std::map<const std::byte*, std::shared_ptr<Segment>> byBase_;
  std::atomic<uint64_t> epoch_{1};
  uint64_t nextId_ = 1;
};

}  // namespace ulysses
