// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "path/cuda/runtime.h"

namespace ulysses {

/// The device memory that the ranks of a group have mapped of each other: a table that kernels read. Index i is of the
/// same registration at every rank, so a rank names its memory by it.
class Segments {
 public:
  static constexpr uint32_t kMost = 64;

  Segments(DeviceRuntime& runtime, int rank, int nRanks);

  /// The same registration of all ranks, as this process maps them (base null: a rank that has none). Its index. Throws
  /// OutOfMemory when the table is full. `window`: ranks have promised to use it alike.
  uint32_t add(std::span<const device::Segment> ofRanks, bool window = false);
  /// No exchange may name it any more.
  void remove(uint32_t index);

  /// The own segment that holds the bytes [begin, end); rather a window.
  struct Found {
    uint32_t index;
    int64_t offset;  // of begin
  };
  std::optional<Found> find(const std::byte* begin, const std::byte* end) const;

  bool isWindow(uint64_t index) const { return windows_[index]; }
  const device::Segment& of(int rank, uint64_t index) const { return host_[static_cast<size_t>(rank) * kMost + index]; }

  const device::Segment* table() const { return table_.as<device::Segment>(); }

 private:
  device::Segment& at(int rank, uint32_t index) { return host_[static_cast<size_t>(rank) * kMost + index]; }
  void write();

  DeviceRuntime& runtime_;
  int rank_, nRanks_;
  std::vector<device::Segment> host_;  // [nRanks][kMost]
  std::vector<bool> used_, windows_;
  DeviceMemory table_;
};

}  // namespace ulysses
