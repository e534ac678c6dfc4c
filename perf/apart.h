// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Ranks on several machines, which share no memory: each has an area of its own, and what the tool else does through
// that memory goes by exchanges of a communicator beside the measured one.
#pragma once

#include "case.h"
#include "options.h"
#include "shared.h"

namespace ulysses::perf {

class Apart {
 public:
  // comm: of the same ranks, not the measured one. It and the area belong to the caller.
  Apart(const Options& options, SharedArea& area, ulyssesComm_t comm);

  // All ranks leave together, to within the flight of a message. Throws RunError, as the others do.
  void meet() const;
  // What every rank measured of this case, in every rank's area. Called by all ranks.
  void collect(const Case& test) const;
  // A contender's times of iterations [0, iterations) of all ranks, in every rank's area. Called by all ranks.
  void collectTimes(int contender, int iterations) const;
  // How the run ended, as rank 0 says.
  int share(int exitCode) const;

 private:
  void collectPiece(int contender, int begin, int end) const;

  const Options& options_;
  SharedArea& area_;
  ulyssesComm_t comm_;
};

}  // namespace ulysses::perf
