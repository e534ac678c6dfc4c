// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The program around the tests of this folder: flags, and processes forked before there is a thread.
//   --ranks-as threads|processes|group|all   which tests run, by the end of their names
//   --cases N, --seed S, --first I           N cases of seed S from index I on; also ULYSSES_TEST_CASES and _SEED
//   --usual-cases N                          in place of the test's own number, unless one of the above says it
//   --min-ranks P, --max-ranks P
// ULYSSES_TEST_RANKS_PER_HOST: see support/own_host.h.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "support/process_ranks.h"
#include "support/schedule.h"

namespace ulysses::test {

enum class Mode { Threads, Processes, Group };

/// What the flags ask for in this mode; defaultCases where they say nothing. In a run of all modes, each has other
/// cases.
RunOptions optionsOf(Profile profile, Mode mode, std::int64_t defaultCases);

/// Runs the cases in that mode and expects them all to be right.
void expectRight(const RunOptions& options, Mode mode);

/// The main function of a test program. Tests that need processes are named *.Processes, and so on.
int ranksMain(int argc, char** argv);

}  // namespace ulysses::test
