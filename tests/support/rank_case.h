// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "support/case.h"
#include "support/rank_memory.h"
#include "ulysses_coll.h"

namespace ulysses::test {

/// One rank's part in a case: its tensors in memory, its arguments, and the check of what the library left.
class RankCase {
 public:
  /// run, inputs (of all ranks) and memory must outlive this object.
  RankCase(const Case& run, const Images& inputs, int rank, RankMemory* memory);

  const Case& run() const { return *run_; }
  ulyssesResult_t exchange(ulyssesComm_t comm) const;
  ulyssesResult_t start(ulyssesComm_t comm, ulyssesRequest_t* request) const;

  /// Compares every byte of every buffer with the oracle: elements, gaps and guards. "" when all are as they must be.
  std::string difference() const;

  /// The buffer of a tensor as it is now.
  Image readBack(std::size_t tensor, End end) const;

  /// The buffer's first byte, for tests that spoil it.
  std::uint8_t* raw(std::size_t tensor, End end) const;

 private:
  struct Placed {
    std::uint8_t* input;
    std::uint8_t* output;
    Image outputBefore;
  };
  ulyssesTensor_t descriptor(const TensorCase& tensor, const Image& input, const Placed& placed) const;

  const Case* run_;
  const Images* inputs_;
  int rank_;
  ulyssesGeometry_t geometry_;
  std::vector<Placed> placed_;
  std::vector<ulyssesTensor_t> tensors_;
};

/// First place where the bytes differ, in words, or "". strides and dims name the element that lies there.
std::string differenceOf(const Image& expected, const std::uint8_t* actual, const ulyssesStrides_t& strides,
                         const Dims& dims, std::size_t elementBytes);

}  // namespace ulysses::test
