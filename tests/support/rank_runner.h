// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "support/schedule.h"

namespace ulysses::test {

/// All cases of a run at one rank, as a thread or a process. Works out alone what its peers pass and what it must get.
/// After a failed call it aborts its communicators, so that its peers end too.
Report runRank(const RunOptions& options, int rank, const CommTable& comms, const std::string& mode);

/// All ranks as threads of this process, each driven by its own.
Report runThreads(const RunOptions& options);

/// All ranks in this process, driven by this thread.
Report runGroup(const RunOptions& options);

}  // namespace ulysses::test
