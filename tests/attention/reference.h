// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Attention of a whole sequence on one processor, as formulas say it: dense matrices in float64, a predicate for the
// mask. Shares nothing with src/, so that a mistake there is not repeated here.
#pragma once
#include <cstdint>
#include <vector>

namespace ulysses::test {

/// [S, B, heads, dim] of the whole sequence.
struct Whole {
  std::int64_t tokens = 0, batch = 0, heads = 0, dim = 0;
  std::vector<double> values;

  Whole() = default;
  Whole(std::int64_t s, std::int64_t b, std::int64_t h, std::int64_t d)
      : tokens(s), batch(b), heads(h), dim(d), values(static_cast<std::size_t>(s * b * h * d)) {}
  double* row(std::int64_t s, std::int64_t b, std::int64_t h) {
    return values.data() + ((s * batch + b) * heads + h) * dim;
  }
  const double* row(std::int64_t s, std::int64_t b, std::int64_t h) const {
    return values.data() + ((s * batch + b) * heads + h) * dim;
  }
};

struct Mask {
  bool causal = false;
  std::int64_t left = -1, right = -1;   // -1: no bound
  std::vector<std::int64_t> cuSeqlens;  // empty: one sequence

  bool sees(std::int64_t i, std::int64_t j) const;
};

struct AttentionInputs {
  Whole query, key, value, outputGradient;
  Mask mask;
  double scale = 1;
  std::vector<float> sinks, slopes;  // empty: none
};

/// A result, and for each element the sum of the sizes of what was added up for it: cancellation makes the first small
/// beside the second, and no rounding of the inputs of that sum can be better than it.
struct Reference {
  Whole output, lse, queryGradient, keyGradient, valueGradient;
  Whole outputSize, queryGradientSize, keyGradientSize, valueGradientSize;
  std::vector<double> sinkGradients, sinkGradientSizes;  // [heads]
  double keyPartsNorm = 0, valuePartsNorm = 0;           // of the parts that each query head adds to dK and dV
};

/// `output`: the O that backward was given, which forward had rounded. Sums over d of dO * O stand in the gradients for
/// the mean of dP, so its rounding is one of backward's inputs, not of its errors.
Reference referenceOf(const AttentionInputs& in, const Whole& output);

}  // namespace ulysses::test
