// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The other half of the oracle: what an exchange must leave in a rank's output, element by element.
#pragma once
#include <cstddef>
#include <vector>

#include "support/case.h"

namespace ulysses::test {

/// Write into *output what `rank` must have in it after the exchange. inputs: of this tensor, [nRanks].
void applyOracle(const Case& run, const TensorCase& tensor, int rank, const std::vector<Image>& inputs, Image* output);

}  // namespace ulysses::test
