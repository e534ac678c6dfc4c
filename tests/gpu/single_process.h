// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "gpu_rank.h"

namespace ulysses::test {

/// All ranks of a case in this process, on the current device, each with a stream.
class SingleProcess {
 public:
  SingleProcess(const DeviceCase& run, std::uint32_t epoch);

  GpuRank& rank(int rank) { return *ranks_[static_cast<std::size_t>(rank)]; }
  device::Arguments& call(int rank) { return calls_[static_cast<std::size_t>(rank)]; }
  std::byte* arena(int rank) const { return arenas_[static_cast<std::size_t>(rank)].data(); }

  /// Enqueues the rank's exchange.
  void launch(int rank);
  /// The same for all ranks, `first` first; with ULYSSES_GPU_TOGETHER set as one launch.
  void launchAll(int first);
  /// Waits for all streams.
  void wait();
  /// All arenas as before the exchange.
  void restore();
  std::string difference() const;

 private:
  const DeviceCase& run_;
  int blocks_;
  std::vector<DeviceBuffer> arenas_;
  std::vector<std::unique_ptr<GpuRank>> ranks_;
  std::vector<std::unique_ptr<GpuWork>> works_;
  std::vector<device::Arguments> calls_;
};

}  // namespace ulysses::test
