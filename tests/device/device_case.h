// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// An exchange as devices hold it: each rank one arena of bytes with all its tensors, gaps and guards, before and as it
// must be after. Where arenas are is the test's affair: in this process, or on a GPU.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "path/cuda/device_work.h"
#include "unit/plan_case.h"

namespace ulysses::test {

using Bytes = std::vector<std::byte>;

/// Where one rank's kernel finds things.
struct Places {
  std::byte* const* boards;         // [nRanks]
  const device::Segment* segments;  // [nRanks][DeviceCase::kSegments]
  device::Report* report;
  device::Work work;
  std::byte* arena;  // the rank's own
};

class DeviceCase {
 public:
  /// Segments of each rank: the first is unknown to all, the second holds the arena but for its first page.
  static constexpr std::uint32_t kSegments = 2;
  static constexpr std::int64_t kSegmentBegin = 64;

  /// Of each rank as it likes, or as ranks promise of windows: outputs at one offset with one layout, and mostly inputs
  /// with one layout. Or in one order of dimensions at every rank, as exchanges of hosts compare.
  enum class Layouts { Own, Windows, Orders };

  DeviceCase(int nRanks, std::uint64_t seed, std::uint32_t tilePieces, Layouts layouts = Layouts::Own);

  const PlanCase& run() const { return run_; }
  int nRanks() const { return run_.nRanks; }
  const Plan& plan(int rank) const { return *plans_[static_cast<std::size_t>(rank)]; }
  const DeviceWork& work(int rank) const { return *works_[static_cast<std::size_t>(rank)]; }
  const Bytes& before(int rank) const { return before_[static_cast<std::size_t>(rank)]; }
  const Bytes& after(int rank) const { return after_[static_cast<std::size_t>(rank)]; }

  /// Of a tensor's pointer, in the arena.
  std::int64_t offsetOf(int rank, std::size_t tensor, bool input) const;

  /// The table row of a rank whose arena is mapped there.
  void describe(int rank, std::byte* arena, device::Segment* segments) const;
  device::Arguments call(int rank, const Places& places) const;

 private:
  struct Ends {
    std::int64_t input, output;  // of the tensors' pointers, in the arena
  };
  void place(Rng& rng, Layouts layouts);
  std::int64_t bytesOf(int rank, std::size_t tensor, bool input) const;
  void fill(Rng& rng);
  void expect();
  void expectTensor(int rank, std::size_t tensor);
  void expectSums(int rank, std::size_t tensor);

  PlanCase run_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<std::unique_ptr<DeviceWork>> works_;
  std::vector<std::vector<Ends>> ends_;  // [nRanks][nTensors]
  std::vector<Bytes> before_, after_;
};

}  // namespace ulysses::test
