// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One rank of NCCL, in its process, on the one GPU.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "nccl_library.h"

namespace ulysses::nccl_check {

/// What the processes of a case share.
struct Meeting;

/// Throws std::runtime_error with CUDA's words.
void requireCuda(cudaError_t result, const char* call);

class DeviceWords {
 public:
  explicit DeviceWords(const std::vector<uint32_t>& words);
  ~DeviceWords();
  DeviceWords(const DeviceWords&) = delete;
  DeviceWords& operator=(const DeviceWords&) = delete;
  uint32_t* data() const { return data_; }
  std::vector<uint32_t> read() const;

 private:
  size_t count_;
  uint32_t* data_ = nullptr;
};

class Rank {
 public:
  /// Joins the others: rank 0 makes the id. Throws std::runtime_error.
  Rank(const Nccl& nccl, Meeting& meeting, int rank, int nRanks);
  ~Rank();
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  int rank() const { return rank_; }
  int nRanks() const { return nRanks_; }
  const Nccl& nccl() const { return nccl_; }
  Comm comm() const { return comm_; }
  cudaStream_t stream() const { return stream_; }
  /// Waits until the stream is empty or the communicator has an error, which is returned.
  int wait();
  /// NCCL's way out of an error: the communicator is gone.
  void abort();

 private:
  const Nccl& nccl_;
  int rank_, nRanks_;
  Comm comm_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

/// Each throws std::runtime_error that names the first wrong word.
void checkAllReduce(Rank& rank, size_t count);
void checkAllGather(Rank& rank, size_t count);
void checkAllToAll(Rank& rank, size_t count);

}  // namespace ulysses::nccl_check
