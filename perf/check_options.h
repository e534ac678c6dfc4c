// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "options.h"

namespace ulysses::perf {

// The number of ranks: as given (0: not), or those of the launcher that started this process. Throws InputError when
// both are there.
void findRanks(Options& options, int ranksGiven);

// What one option alone cannot tell: options that exclude each other, files that cannot be written. Throws InputError.
// The shape itself is checked by the library's ulyssesGetSplit (make_case.cc).
void checkOptions(const Options& options);

// Now, not after an hour of measuring: throws InputError when the file cannot be written. Leaves no file behind that
// was not there. An empty path is none.
void checkWritable(const char* option, const std::string& path);

}  // namespace ulysses::perf
