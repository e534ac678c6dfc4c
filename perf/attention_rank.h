// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "case.h"
#include "options.h"
#include "shared.h"

namespace ulysses::perf {

enum class Pass { kForward = 0, kBackward = 1 };
constexpr int kPasses = 2;

// Squares of differences and of what should be, of one tensor's sampled elements at one rank.
struct Squares {
  double difference = 0, wanted = 0;
};

enum class Checked { kOutput, kLse, kQueryGradient, kKeyGradient, kValueGradient };
constexpr int kCheckedTensors = 5;
const char* nameOf(Checked tensor);

// What a rank found, in memory that it shares with the tool.
struct AttentionFigures {
  double exposedUs[kPasses], localUs[kPasses];  // means over the timed iterations
  int64_t workspaceBytes;                       // the larger of both passes
  int64_t tensorBytes;                          // of this rank's own Q, K, V, ...
  int64_t peakBytes;                            // measured, beyond the tensors
  int32_t headGroups;
  Squares squares[kCheckedTensors];
};

// Rounds of iterations: between two the ranks sleep, and something else may run.
struct AttentionSchedule {
  int warmups, rounds, block;
  int iterations() const { return rounds * block; }
};

// What one rank does with its communicator. A round ends with `onRoundDone`, at every rank.
void runAttentionRank(const Options& options, const Case& test, const AttentionSchedule& schedule, SharedArea& area,
                      AttentionFigures& figures, int rank, ulyssesComm_t comm,
                      const std::function<void(int round)>& onRoundDone);

// Pairs of tokens that see each other, of one head and batch entry.
double visiblePairs(const Options& options, int64_t sequence);

}  // namespace ulysses::perf
