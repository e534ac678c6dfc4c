// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "support/geometry_spec.h"
#include "support/rng.h"

namespace ulysses::test {

/// Valid heads, kvHeads and queryHeads. sharing: some KV head is held by several ranks (needs nRanks >= 2).
void drawHeads(Rng* rng, int nRanks, bool sharing, GeometrySpec* geometry);

/// Valid sequence, order, tokens and cuSeqlens, about maxTokens at most.
void drawTokens(Rng* rng, int nRanks, std::int64_t maxTokens, GeometrySpec* geometry);

/// `total` cut into `parts` at random places; some parts are 0.
std::vector<std::int64_t> drawParts(Rng* rng, std::int64_t total, int parts);

}  // namespace ulysses::test
