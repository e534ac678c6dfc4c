// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

namespace ulysses::perf {

// ulysses_perf attention: the whole operator between local ranks, checked against float64 on sampled tokens. The exit
// code: 1 when a result was too far off, else 0. Throws InputError and RunError.
int runAttention(const Options& options);

}  // namespace ulysses::perf
