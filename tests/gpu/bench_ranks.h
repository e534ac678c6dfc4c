// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// All ranks of a case on one GPU, in one process, each with its stream.
#pragma once
#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "gpu/bench_call.h"
#include "gpu/bench_case.h"
#include "path/cuda/cuda_runtime.h"
#include "path/cuda/device_rank.h"
#include "permute_plan.h"

namespace ulysses::test {

struct DeviceBytes {
  std::byte* data;
  std::int64_t bytes;
};

/// A rank: its tensors, what packs and unpacks them, its end of the exchange.
class BenchRank {
 public:
  BenchRank(CudaRuntime& runtime, const BenchCase& run, const perf::Case& test, int rank);
  BenchRank(const BenchRank&) = delete;
  BenchRank& operator=(const BenchRank&) = delete;

  DeviceRank& end() { return end_; }
  cudaStream_t stream() const { return stream_.get(); }
  /// What peers reach of it.
  device::Segment segment() const { return {arena_.data(), arenaBytes_}; }
  std::byte* arena() const { return arena_.data(); }
  const perf::PermutePlan& permutePlan() const { return permute_; }

  /// Throws when another engine than the case's takes it.
  void enqueueExchange();
  void enqueuePack() { enqueue(pack_, permute_.pack); }
  void enqueueUnpack() { enqueue(unpack_, permute_.unpack); }

  std::vector<DeviceBytes> inputs() const { return pieces(0); }
  std::vector<DeviceBytes> outputs() const { return pieces(nTensors_); }

 private:
  std::vector<DeviceBytes> pieces(int first) const;
  void enqueue(const DeviceMemory& boxes, const perf::BoxList& list);

  Engine engine_;
  int nTensors_;
  std::vector<std::int64_t> sizes_, offsets_;  // of inputs, outputs, packed, received
  std::unique_ptr<Plan> plan_;
  perf::PermutePlan permute_;
  DeviceRank end_;
  DeviceCall call_;
  std::int64_t arenaBytes_;
  DeviceMemory arena_, pack_, unpack_;
  Stream stream_;
};

/// Their inputs are random.
class BenchRanks {
 public:
  BenchRanks(CudaRuntime& runtime, const BenchCase& run);
  ~BenchRanks();

  BenchRanks(const BenchRanks&) = delete;
  BenchRanks& operator=(const BenchRanks&) = delete;

  const perf::Case& test() const { return test_; }
  int size() const { return static_cast<int>(ranks_.size()); }
  BenchRank& operator[](int rank) { return *ranks_[static_cast<std::size_t>(rank)]; }
  const std::vector<cudaStream_t>& streams() const { return streams_; }
  std::int64_t bytesWritten() const { return written_; }  // of all ranks' outputs
  std::int64_t bytesRead() const { return read_; }        // sums read more than they write
  bool permutes() const { return permutes_; }             // sums are not
  int passes() const { return ranks_.front()->permutePlan().passes(); }

  /// All of them enqueue and return.
  void exchange();
  /// Pack, contiguous copies, unpack; events order what reads behind what packs.
  void permute();
  /// Throws when an exchange went wrong on the device.
  void requireNoTrouble() const;

 private:
  void fillInputs();

  perf::Case test_;
  bool permutes_;
  std::vector<std::unique_ptr<BenchRank>> ranks_;
  std::vector<cudaStream_t> streams_;
  std::vector<std::unique_ptr<Event>> packed_;
  std::int64_t written_ = 0, read_ = 0;
};

}  // namespace ulysses::test
