// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

namespace ulysses::perf {

// The run of a rank that a launcher started: joins the others, measures with them; rank 0 prints and writes the files.
// The exit code, the same at all ranks: 1 when an element was wrong or a byte outside the outputs was written, else 0.
// Throws InputError and RunError, at every rank when one fails.
int runLaunched(const Options& options);

// The same of attention; 1 when a result was too far off.
int runLaunchedAttention(const Options& options);

}  // namespace ulysses::perf
