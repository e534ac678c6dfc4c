// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Local attention by plain loops in double, written from the mathematics of ulysses_attention.h alone.
#pragma once
#include <cstdint>
#include <vector>

#include "attention_case.h"

namespace ulysses::attention::test {

/// Dense [S, B, H, D].
struct Values {
  std::array<int64_t, 4> shape{};
  std::vector<double> values;
  double& at(int64_t s, int64_t b, int64_t h, int64_t d = 0) {
    return values[static_cast<size_t>(((s * shape[1] + b) * shape[2] + h) * shape[3] + d)];
  }
};

struct Reference {
  Values output, lse, delta, queryGradient, keyGradient, valueGradient;
  // dQ and dK with the absolute value of every term: dS = P * (dO V - delta) is a difference that may vanish.
  Values queryMagnitude, keyMagnitude;
  std::vector<double> sinkGradients;
};

/// All of it, forward and backward, from query, key, value and outputGradient of a case.
Reference referenceOf(const Case& given);

}  // namespace ulysses::attention::test
