// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attention_rank.h"
#include "stats.h"

namespace ulysses::perf {

// What ran beside the library in the same rounds.
struct AttentionPeer {
  std::string name;
  std::string unavailable;                   // why it has no times; empty: it has
  std::vector<double> timesUs[kPasses];      // of all iterations
  std::vector<double> roundRatios[kPasses];  // its median over the library's, of each round
};

// All that a run found.
struct AttentionResult {
  TimesUs times[kPasses];
  double flops[kPasses];  // of all ranks together, in one iteration
  std::vector<AttentionFigures> ranks;
  std::vector<AttentionPeer> peers;
};

void printAttentionHeader(const Options& options);
void printAttention(const Options& options, const Case& test, const AttentionResult& result);
void writeAttentionJson(const Options& options, const Case& test, const AttentionResult& result);

// norm(got - wanted) / norm(wanted) of the sampled elements of all ranks; nullopt: none were looked at.
std::optional<double> errorOf(const AttentionResult& result, Checked tensor);
bool isAccurate(const Options& options, const AttentionResult& result);

}  // namespace ulysses::perf
