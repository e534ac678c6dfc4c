// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "path/cuda/runtime.h"

namespace ulysses {

/// Device memory for the plans of a rank's calls. A plan may be dropped while launches that read it wait on a stream.
/// Freeing would not do: CUDA may wait for kernels then, which wait for peers, which may wait for this thread. So what
/// a dropped plan had is taken again once the launches before that have ended, and nothing is freed before the end.
class PlanMemory {
 public:
  /// `ended`: in device memory, the number of the last launch that has ended, which the launches themselves write; at
  /// first 0.
  PlanMemory(DeviceRuntime& runtime, const uint64_t* ended) : runtime_(runtime), ended_(ended) {}
  PlanMemory(const PlanMemory&) = delete;
  PlanMemory& operator=(const PlanMemory&) = delete;

  /// The number for the next launch.
  uint64_t nextLaunch() { return ++launched_; }

  /// What a plan has; given back with it. The memory of all must outlive it.
  struct GiveBack {
    PlanMemory* memory;
    int64_t bytes;
    /// There is room for all blocks.
    void operator()(std::byte* block) const { memory->waiting_.push_back({block, bytes, memory->launched_}); }
  };
  using Block = std::unique_ptr<std::byte, GiveBack>;
  /// A copy of `image`. Throws OutOfMemory.
  Block take(std::span<const std::byte> image);

 private:
  struct Waiting {
    std::byte* block;
    int64_t bytes;
    uint64_t launch;  // the last that may read it
  };
  void collect();

  DeviceRuntime& runtime_;
  const uint64_t* ended_;
  uint64_t launched_ = 0;
  std::vector<DeviceMemory> all_;
  std::map<int64_t, std::vector<std::byte*>> free_;  // by bytes
  std::vector<Waiting> waiting_;                     // in the order they were given back
};

}  // namespace ulysses
