// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

namespace ulysses::perf {

// The whole run: starts the ranks, prints, writes the files. The exit code: 1 when an element was wrong or a byte
// outside the outputs was written, else 0. Throws InputError and RunError.
int runBenchmark(const Options& options);

// --explain: the library's plan of the case, rank by rank. Runs nothing.
void explain(const Options& options);

}  // namespace ulysses::perf
