// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "case.h"
#include "options.h"
#include "shared.h"
#include "shared_tensors.h"

namespace ulysses::perf {

// What every rank does with its communicator: runs its contenders of every case. `onCaseDone` is called by every
// rank after each; area.shown() must count it then, sooner or later. Throws on failure.
void runCases(const Options& options, const std::vector<Case>& cases, SharedArea& area, const SharedStorage& storage,
              int rank, bool withMpi, ulyssesComm_t comm, const std::function<void(const Case& test)>& onCaseDone);

// Joins the communicator of all ranks that the tool forked. Throws RunError.
ulyssesComm_t join(const Options& options, const SharedArea& area, int rank);

// What one forked rank does: joins the communicator, runs its contenders of every case. Throws on failure.
void runRank(const Options& options, const std::vector<Case>& cases, SharedArea& area, const SharedStorage& storage,
             int rank, int caseDoneFd);

}  // namespace ulysses::perf
