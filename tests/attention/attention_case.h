// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A distributed attention problem with everything that can vary, and a run of it by all ranks.
#pragma once
#include <string>

#include "attention/reference.h"
#include "support/geometry_spec.h"
#include "support/rng.h"
#include "ulysses_attention.h"

namespace ulysses::test {

/// How a rank holds a tensor: the three named layouts, and strides with gaps everywhere.
enum class Hold { Sbhd, Bshd, Bhsd, Gaps };
inline constexpr int kHolds = 4;

struct AttentionCase {
  int nRanks = 1;
  GeometrySpec geometry;
  ulyssesDataType_t dtype = ulyssesFloat32;
  std::int64_t headDim = 8, vHeadDim = 8;
  double scale = 0;  // as in options
  bool causal = false;
  std::int64_t left = -1, right = -1;
  bool sinks = false, slopes = false;
  int headGroups = 0, threads = 1;
  bool oracle = false;        // else the built-in default
  bool registered = false;    // tensors and workspace in memory that peers map
  bool ownWorkspace = false;  // the library's own
  bool keepLse = true;        // of forward, for the caller
  Hold holds[9] = {};         // of the tensors, in the order of ulyssesAttentionTensors_t
  std::uint64_t seed = 1;

  std::int64_t kvHeads() const { return geometry.kvHeads == 0 ? geometry.heads : geometry.kvHeads; }
};

std::string toText(const AttentionCase& test);

/// Inputs of the case, rounded to its dtype.
AttentionInputs inputsOf(const AttentionCase& test);

/// What all ranks computed, put together, and what it took.
struct AttentionRun {
  Whole output, lse, queryGradient, keyGradient, valueGradient;
  std::vector<double> sinkGradients;
  std::vector<ulyssesAttentionStats_t> stats;  // of forward, by rank
  std::string problem;                         // "" or what went wrong, such as a rank's error text
};

/// Runs forward and backward by a thread per rank.
AttentionRun runCase(const AttentionCase& test, const AttentionInputs& in);

/// A random case; index and seed say all.
AttentionCase drawCase(std::uint64_t seed, std::int64_t index);

}  // namespace ulysses::test
