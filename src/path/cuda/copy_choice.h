// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernels/device/work.h"
#include "path/cuda/engine.h"
#include "path/cuda/pitched_copy.h"
#include "plan/plan.h"

namespace ulysses {

/// Offsets are of the tensors' pointers, that of the peer taken to be like this rank's.
struct PeerCopy {
  int32_t peer = 0, tensor = 0;
  int64_t source = 0, destination = 0;
  PitchedShape shape;
};

/// Of the copies that one rank makes in one call.
struct CopyLimits {
  int64_t mostCopies = 256;
  int64_t leastBytes = 64 << 10;  // of a copy on average: an engine takes about 2 us to begin the next
};

/// What copy engines do of a call at one rank.
struct CopyChoice {
  std::vector<PeerCopy> copies;        // by peer, the next rank first; empty: all is the SM kernel's
  std::vector<device::Steps> assumed;  // [nRanks][nTensors], of the outputs
  std::string reason;                  // why it is the SM kernel's, at all ranks
};

/// The tensors that a rank passes, as far as this one knows.
using TensorsOf = std::function<std::vector<TensorSpec>(int rank)>;

/// Whether copy engines take a call whose outputs are in windows, and how. All ranks come to the same when they are
/// told the same of each other's tensors. Does not throw for what `tensorsOf` or the plans of other ranks throw: that
/// is a reason.
CopyChoice chooseCopies(const Plan& plan, const TensorsOf& tensorsOf, const CopyLimits& limits = {});

}  // namespace ulysses
