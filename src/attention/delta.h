// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "attention/request.h"

namespace ulysses::attention {

/// delta[s, b, h] = sum over d of dO[s, b, h, d] * O[s, b, h, d] of this rank's tokens, contiguous: all of O that the
/// backward pass needs, so that O does not travel.
void computeDelta(const Request& request, float* delta);

}  // namespace ulysses::attention
