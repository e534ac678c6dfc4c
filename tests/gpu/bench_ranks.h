// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// All ranks of a case on one GPU, in one process, each with its stream.
#pragma once
#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "gpu/bench_case.h"
#include "path/cuda/cuda_runtime.h"
#include "path/cuda/device_rank.h"
#include "permute_plan.h"

namespace ulysses::test {

/// Throws std::runtime_error with the call and CUDA's text.
void check(int result, const char* call);

/// A rank: its tensors, what packs and unpacks them, its end of the exchange.
class BenchRank {
 public:
  BenchRank(CudaRuntime& runtime, const BenchCase& run, const perf::Case& test, int rank);
  BenchRank(const BenchRank&) = delete;
  BenchRank& operator=(const BenchRank&) = delete;
  ~BenchRank();

  DeviceRank& end() { return end_; }
  cudaStream_t stream() const { return stream_; }
  /// What peers reach of it.
  device::Segment segment() const { return {arena_.data(), arenaBytes_}; }
  std::byte* arena() const { return arena_.data(); }
  const perf::PermutePlan& permutePlan() const { return permute_; }

  /// Throws when another engine than the case's takes it.
  void enqueueExchange();
  void enqueuePack() { enqueue(pack_, permute_.pack); }
  void enqueueUnpack() { enqueue(unpack_, permute_.unpack); }

  void fillInputs(unsigned seed);
  void clearOutputs();
  std::vector<std::byte> outputs() const;

 private:
  void enqueue(const DeviceMemory& boxes, const perf::BoxList& list);

  CudaRuntime& runtime_;
  Engine engine_;
  int nTensors_;
  std::vector<std::int64_t> sizes_, offsets_;  // of inputs, outputs, packed, received
  std::unique_ptr<Plan> plan_;
  perf::PermutePlan permute_;
  DeviceRank end_;
  DeviceCall call_;
  std::int64_t arenaBytes_;
  DeviceMemory arena_, pack_, unpack_;
  cudaStream_t stream_ = nullptr;
};

class BenchRanks {
 public:
  BenchRanks(CudaRuntime& runtime, const BenchCase& run);
  ~BenchRanks();

  int size() const { return static_cast<int>(ranks_.size()); }
  BenchRank& operator[](int rank) { return *ranks_[static_cast<std::size_t>(rank)]; }
  const std::vector<cudaStream_t>& streams() const { return streams_; }
  std::int64_t bytesWritten() const { return written_; }  // of all ranks' outputs
  std::int64_t bytesRead() const { return read_; }        // sums read more than they write
  int passes() const { return ranks_.front()->permutePlan().passes(); }

  /// All of them enqueue and return.
  void exchange();
  /// Pack, contiguous copies, unpack; events order what reads behind what packs.
  void permute();
  /// Throws when an exchange went wrong on the device.
  void requireNoTrouble() const;

 private:
  std::vector<std::unique_ptr<BenchRank>> ranks_;
  std::vector<cudaStream_t> streams_;
  std::vector<cudaEvent_t> packed_;
  std::int64_t written_ = 0, read_ = 0;
};

}  // namespace ulysses::test
