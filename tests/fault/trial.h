// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ulysses_coll.h"

namespace ulysses::test {

/// Time of this machine's monotonic clock, comparable among processes.
std::int64_t nowNs();
inline double msSince(std::int64_t startNs) { return static_cast<double>(nowNs() - startNs) / 1e6; }

struct TrialOptions {
  bool registered = false;
  int misalignment = 0;                   // bytes
  std::vector<std::int64_t> tokens = {};  // of each rank; empty: kTokens each
  std::vector<std::int64_t> heads = {};   // of each rank; empty: kHeads each
};

/// One rank's end of an exchange whose every element any rank can work out, between canaries. geometry and tensors may
/// be spoiled before a call; reset() makes them good again.
class Trial {
 public:
  static constexpr std::int64_t kTokens = 24, kHeads = 2, kBatch = 2, kHeadDim = 16;

  Trial(int rank, int nRanks, TrialOptions options = {});
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial();

  /// Good arguments, inputs of this round, canaries in the output.
  void reset(int round = 0);
  ulyssesResult_t call(ulyssesComm_t comm) const;
  ulyssesResult_t start(ulyssesComm_t comm, ulyssesRequest_t* request) const;
  /// Whether the output is what a ScatterHeads of all ranks' trials leaves, and nothing beside it was written.
  bool isRight() const;
  /// Whether no byte of the output and around it was written.
  bool isUntouched() const;
  /// reset, call, check: "" or what is wrong.
  std::string exchange(ulyssesComm_t comm, int round = 0);

  // --- the arguments of call()
  ulyssesOp_t op = ulyssesOpScatterHeads;
  ulyssesGeometry_t geometry;
  ulyssesTensor_t tensors[9];
  int nTensors = 1;
  void* stream = nullptr;
  const ulyssesGeometry_t* geometryPointer = nullptr;
  const ulyssesTensor_t* tensorsPointer = nullptr;
  std::vector<std::int64_t> tokens, queryHeads, cuSeqlens;  // for geometry to point to

 private:
  struct Memory {
    std::byte* begin = nullptr;
    std::size_t bytes = 0;
  };
  Memory take(std::size_t bytes) const;
  void give(const Memory& memory) const;
  std::uint32_t valueAt(std::int64_t token, std::int64_t batch, std::int64_t head, std::int64_t d) const;
  void fillInput();

  int rank_, nRanks_, round_ = 0;
  TrialOptions options_;
  std::int64_t sequence_ = 0, heads_ = 0, firstToken_ = 0, firstHead_ = 0;
  Memory input_, output_;
};

}  // namespace ulysses::test
