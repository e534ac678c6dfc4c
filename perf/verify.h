// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What every element must be, and how many are not. The value of an element is a hash of (tensor, place in the
// sequence, batch, head, d); values that are summed are small integers, so that the sum is exact in every type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "case.h"

namespace ulysses::perf {

void fillInput(const Case& test, int tensor, int rank, uint64_t seed, std::byte* data);

int64_t countWrong(const Case& test, int tensor, int rank, uint64_t seed, const std::byte* output);

// As countWrong, for a copy that keeps the partial values apart: of each head, what its replica-th holder sent. Heads
// with fewer holders are not looked at.
int64_t countWrongPartial(const Case& test, int tensor, int rank, uint64_t seed, int replica, const std::byte* output);

}  // namespace ulysses::perf
