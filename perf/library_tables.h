// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The two tables of ulysses_info that the library itself knows.
#pragma once

#include <string>

namespace ulysses::perf {

// Every environment variable of the library as a Markdown table: name, default, values, meaning.
std::string environmentTable();

// Starts nRanks processes that make a communicator, and says how each pair is joined and why.
std::string pairMatrix(int nRanks);

}  // namespace ulysses::perf
