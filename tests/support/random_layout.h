// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>

#include "support/rng.h"
#include "support/tensor_image.h"

namespace ulysses::test {

/// The way one end of a tensor is laid out: shared by the ranks, which must agree on the order of dimensions. Each rank
/// then has strides of its own.
struct Form {
  enum class Kind { Named, FusedQkv, Interleaved, Padded };
  Kind kind = Kind::Named;
  ulyssesLayout_t layout = ulyssesLayoutSBHD;  // Named
  std::int64_t slots = 3;                      // Interleaved, of a KV tensor: g + 2
  std::array<int, 4> axes = {};                // Padded: innermost first; 0 sequence, 1 batch, 2 group, 3 head
  int broadcastAxis = -1;                      // inputs only: this axis has stride 0 at most ranks
  bool mayFlip = false;                        // inputs only: some strides are negative, each rank its own
};

/// Outputs must not overlap themselves, so only inputs may broadcast and flip.
Form drawForm(Rng* rng, bool isInput);

/// One rank's side in that form. Draws all but `registered`.
Side drawSide(const Form& form, const Dims& dims, Rng* rng);

}  // namespace ulysses::test
