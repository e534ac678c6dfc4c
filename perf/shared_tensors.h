// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Tensors that every rank of the tool can read and write: one mapping, made before the ranks are forked, or attached by
// those that a launcher started. What the comparisons over shared memory work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "buffer.h"

namespace ulysses::perf {

// Memory in stripes, one for each rank.
class SharedStorage {
 public:
  SharedStorage(int nRanks, int64_t stripeBytes);
  SharedStorage(const std::string& path, int nRanks, int64_t stripeBytes);  // path() of another process's
  SharedStorage(const SharedStorage&) = delete;
  SharedStorage& operator=(const SharedStorage&) = delete;
  ~SharedStorage();

  std::string path() const;  // "/proc/PID/fd/N": open to this user while the creator lives
  std::byte* stripe(int rank) const { return base_ + rank * stripeBytes_; }

 private:
  void map();

  int fd_ = -1;
  std::byte* base_ = nullptr;
  int64_t stripeBytes_;
  size_t bytes_;
};

// The tensors of all ranks at one offset of their stripes. Every rank computes the same places from the same sizes.
class SharedTensors {
 public:
  // sizes[rank][index]: bytes of each tensor.
  SharedTensors(const SharedStorage& storage, int64_t offset, std::vector<std::vector<int64_t>> sizes);

  std::byte* data(int rank, int index) const;
  Buffer buffer(int rank, int index) const;
  static int64_t stripeBytes(const std::vector<std::vector<int64_t>>& sizes);  // largest over ranks

 private:
  std::byte* place(int rank, int index) const;

  const SharedStorage& storage_;
  int64_t offset_;
  std::vector<std::vector<int64_t>> sizes_;
};

}  // namespace ulysses::perf
