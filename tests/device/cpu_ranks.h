// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A DeviceCase in this process: arenas, boards and tables in host memory.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "device_case.h"
#include "kernels/device/handover.h"
#include "kernels/device/shard_copy.h"
#include "path/cuda/pitched_copy.h"

namespace ulysses::test {

class CpuRanks {
 public:
  CpuRanks(const DeviceCase& run, std::uint32_t epoch);

  device::Arguments& call(int rank) { return calls_[static_cast<std::size_t>(rank)]; }
  device::Board board(int rank) { return {boards_[static_cast<std::size_t>(rank)], run_.nRanks()}; }
  device::Report& report(int rank) { return reports_[static_cast<std::size_t>(rank)]; }
  Bytes& arena(int rank) { return arenas_[static_cast<std::size_t>(rank)]; }
  device::Segment& segment(int rank, std::uint32_t index) {
    return segments_[static_cast<std::size_t>(rank) * DeviceCase::kSegments + index];
  }

  /// "" when the rank's arena is as `expected`, byte for byte.
  std::string difference(int rank, const Bytes& expected) const;

 private:
  const DeviceCase& run_;
  std::vector<Bytes> arenas_;
  std::vector<Bytes> boardMemory_;
  std::vector<std::byte*> boards_;
  std::vector<device::Segment> segments_;
  std::vector<device::Report> reports_;
  std::vector<device::Arguments> calls_;
};

/// How many random cases a sweep without threads takes.
std::uint64_t sweepCases();

/// All ranks' letters to all.
void deliverLetters(CpuRanks& ranks, int nRanks);

/// What a copy engine does; fails the test for a shape that CUDA would refuse.
void copyPitched(std::byte* to, const std::byte* from, const PitchedShape& shape);

/// Runs every thread of every block of a rank's launch, as threads; returns when all have ended.
void launch(const device::Arguments& call, std::uint32_t blocks, std::uint32_t threads);
/// The same, but only the first `runningBlocks` of them ever run.
void launch(const device::Arguments& call, std::uint32_t blocks, std::uint32_t threads, std::uint32_t runningBlocks);
/// The same for copies; its blocks one after the other, as they do not wait for each other.
void launchCopies(const device::ShardCopies& call, std::uint32_t blocks, std::uint32_t threads);
/// The same for a step of handing a call over, which has one block.
void launchHandover(const device::HandoverCall& call, std::uint32_t threads);

}  // namespace ulysses::test
