// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses::perf {

struct Options;

// --simulate: what the library's cost model predicts for each size. Runs nothing.
int simulate(const Options& options);

}  // namespace ulysses::perf
