// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The ranks of ulysses_info: its own, or those of a launcher.
#pragma once

#include <string>

#include "merge_hosts.h"

namespace ulysses::perf {

// Starts nRanks processes that make a communicator. Call while this process has one thread. Throws RunError.
RankReport reportLocalRanks(int nRanks, bool measure);

// Joins the ranks of the launcher that started this process; the report is rank 0's, elsewhere it is empty. Throws
// RunError.
RankReport reportLaunchedRanks(const std::string& launcher, int nRanks, int rank, bool measure);

}  // namespace ulysses::perf
