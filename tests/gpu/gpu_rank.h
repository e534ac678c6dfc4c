// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "device/device_case.h"
#include "gpu_memory.h"

namespace ulysses::test {

/// A DeviceWork in device memory.
class GpuWork {
 public:
  GpuWork(const DeviceWork& work, int nRanks);
  device::Work work() const;

 private:
  device::Work host_;
  DeviceBuffer pushes_, firstPush_, pushTiles_, sums_, sources_;
};

/// One rank on the current device: its board, stream and report. Where its peers are it learns by join().
class GpuRank {
 public:
  GpuRank(int nRanks, std::uint32_t epoch);
  ~GpuRank();
  GpuRank(const GpuRank&) = delete;
  GpuRank& operator=(const GpuRank&) = delete;

  std::byte* board() const { return board_.data(); }
  cudaStream_t stream() const { return stream_; }
  const device::Report& report() const { return *report_; }

  /// boards: [nRanks]; segments: [nRanks][perRank]; as this process maps them.
  void join(const std::vector<std::byte*>& boards, const std::vector<device::Segment>& segments);
  DeviceMemory memory(const device::Work& work, std::byte* arena) const;

 private:
  DeviceBuffer board_;
  std::unique_ptr<DeviceBuffer> boards_, segments_;
  cudaStream_t stream_ = nullptr;
  device::Report* report_ = nullptr;
};

/// Blocks of one of `ranks` kernels that are on the device together.
int blocksFor(int ranks);

/// "" when device memory holds just these bytes.
std::string differenceOf(const std::byte* arena, const Bytes& expected);

}  // namespace ulysses::test
