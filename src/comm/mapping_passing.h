// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How processes of one host map each other's memory of cuMemMap: each owner passes the descriptors of its mappings.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/gathering.h"
#include "path/cuda/mapped_range.h"
#include "path/path.h"

namespace ulysses {

/// What a rank passes of the memory that it registers.
struct MappingOffer {
  int64_t mappings = 0, bytes = 0;  // 0: nothing
  bool isWanted = false;            // by this rank
};

/// A peer's memory as this process maps it, or why it does not.
class ImportedMemory {
 public:
  ImportedMemory(DeviceRuntime& runtime, const MappingOffer& offer);

  /// A batch of `expected`; `problem`: the owner's, "" for none.
  void append(std::span<const PassedFd> batch, int64_t expected, const Problem& problem);
  /// Where it begins. Throws Error where not all of it is mapped.
  std::byte* data() const;

 private:
  std::optional<MappedRange> range_;
  std::string trouble_;
};

class MappingPassing {
 public:
  /// `path`: to all peers in other processes; null where there are none.
  MappingPassing(DeviceRuntime& runtime, Path* path, int rank, int nRanks, AllGather allGather)
      : runtime_(runtime),
        path_(path),
        rank_(static_cast<size_t>(rank)),
        allGather_(std::move(allGather)),
        told_(static_cast<size_t>(nRanks)) {}

  /// Collective. `offers`: by rank, the same at each but for what it wants; `mine`: this rank's mappings, in order. The
  /// memory of each rank, empty where nothing is wanted. Throws Error at all ranks when they cannot gather.
  std::vector<std::optional<ImportedMemory>> pass(std::span<const MappingOffer> offers,
                                                  std::span<const DeviceRuntime::Allocation> mine);

 private:
  struct Batch {
    uint64_t number = 0;
    Problem problem{};
  };
  void send(std::span<const DeviceRuntime::Allocation> mappings, Batch& batch);
  std::vector<Batch> gather(const Batch& mine);

  DeviceRuntime& runtime_;
  Path* path_;
  size_t rank_;
  AllGather allGather_;
  std::vector<uint64_t> told_;  // by rank, the number of the last batch, which may have been empty
};

}  // namespace ulysses
