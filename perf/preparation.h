// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a run does before and after its cases, whoever started its ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "case.h"
#include "options.h"
#include "report.h"

namespace ulysses::perf {

// Throws InputError when the tensors of all ranks do not fit the memory there is.
void checkMemory(const Options& options, const std::vector<Case>& cases);

// Of shared memory that the comparisons need for a rank, over all cases.
int64_t largestStripeBytes(const Options& options, const std::vector<Case>& cases);

int mostIterations(const Options& options, const std::vector<Case>& cases);

// The end of the report, and the files. The exit code: 1 when an element was wrong or a byte outside the outputs was
// written, else 0. Throws RunError.
int conclude(const Options& options, const Report& report);

}  // namespace ulysses::perf
