// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// All ranks of a case with their host sides, each on a TestDevice, in this process.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "device_case.h"
#include "path/cuda/device_rank.h"
#include "test_device.h"

namespace ulysses::test {

/// One rank: its device, its tensors in one arena.
class RankOnDevice {
 public:
  RankOnDevice(const DeviceCase& run, int rank, std::int64_t timeoutMs, CopyChoice choice = {});
  ~RankOnDevice() { device_->wait(); }

  DeviceRank& end() { return end_; }
  TestDevice& device() { return *device_; }
  std::byte* arena() const { return arena_.data(); }
  Bytes bytes() const { return device_->read(arena_.data(), run_.before(rank_).size()); }
  Engine enqueue() { return end_.enqueue(call_, inputs_, outputs_, device_->stream()); }
  std::vector<std::byte*>& outputs() { return outputs_; }
  void restore();

 private:
  const DeviceCase& run_;
  int rank_;
  std::unique_ptr<TestDevice> device_;
  DeviceRank end_;
  DeviceCall call_;
  DeviceMemory arena_;
  std::vector<const std::byte*> inputs_;
  std::vector<std::byte*> outputs_;
};

class DeviceRanks {
 public:
  /// Which ranks are to use copy engines.
  using Copying = std::function<bool(int rank)>;

  explicit DeviceRanks(const DeviceCase& run, std::int64_t timeoutMs = 60'000, const Copying& copying = {});

  RankOnDevice& operator[](int rank) { return *ranks_[static_cast<std::size_t>(rank)]; }
  /// At all ranks. A case's exchanges need it when there are peers.
  void registerArenas(bool windows = false);
  /// How many ranks' copy engines are used.
  int enqueueAll(int first = 0);
  void wait();
  /// All arenas as before.
  void restore();
  /// "" when every arena is, byte for byte, as it must be and no rank has trouble.
  std::string difference();

 private:
  const DeviceCase& run_;
  std::vector<std::unique_ptr<RankOnDevice>> ranks_;
};

/// For the case's rank, whatever the sizes.
CopyChoice copiesOf(const DeviceCase& run, int rank);

/// A seed whose ranks all have something to push.
std::uint64_t fullSeed(int nRanks);

/// One, of layouts for windows, whose ranks all have copies to make.
std::uint64_t copyingSeed(int nRanks);

}  // namespace ulysses::test
