// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "plan/head_split.h"
#include "plan/token_split.h"

namespace ulysses {

/// Who holds what, on both sides of the exchange.
struct Distribution {
  HeadSplit heads;
  TokenSplit tokens;
};

/// Throws InvalidArgument naming the field of the geometry, its value and what would work.
Distribution distribute(const Geometry& geometry);

}  // namespace ulysses
