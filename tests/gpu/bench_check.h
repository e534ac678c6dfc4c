// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "gpu/bench_clock.h"
#include "gpu/bench_ranks.h"

namespace ulysses::test {

/// The outputs that a case must have, and whether it has them, compared on the device. They come from the permutation,
/// whose plan has nothing in common with the exchange's; those of sums, which it cannot make, from the host.
class BenchCheck {
 public:
  BenchCheck(CudaRuntime& runtime, BenchRanks& ranks);

  /// Clears the outputs, and throws when they are not what they must be after `exchange`, or that has trouble.
  void require(const Work& exchange);

 private:
  void clear(int value);
  void keepPermuted();
  void keepSums();

  CudaRuntime& runtime_;
  BenchRanks& ranks_;
  DeviceMemory kept_, counter_;
};

}  // namespace ulysses::test
