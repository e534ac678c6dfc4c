// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses {

/// Whether ranks compare their calls and operations have deadlines. False only in builds with -Dchecks=false, which
/// exist to measure what that costs (perf/cost_of_checks.sh).
#if defined(ULYSSES_UNCHECKED)
inline constexpr bool kChecks = false;
#else
inline constexpr bool kChecks = true;
#endif

}  // namespace ulysses
