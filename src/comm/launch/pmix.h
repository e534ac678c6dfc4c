// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// PMIx, as Open MPI's mpirun, prun and Slurm serve it. libpmix is loaded when a launcher that has it started this
// process, and never linked. MPI in the same process may use it too: it counts its users.
#pragma once
#include "comm/launch/key_value.h"

namespace ulysses {

/// What the server knows of this process's job; -1 what it does not tell.
struct PmixJob {
  int nRanks = -1, localRank = -1, localRanks = -1;
};

/// Throw NotSupported (not built with PMIx, or no libpmix here), SystemError, Timeout.
PmixJob pmixJob();
KeyValue& pmixKeyValue(Deadline deadline);

}  // namespace ulysses
