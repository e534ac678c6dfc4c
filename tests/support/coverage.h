// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "support/schedule.h"

namespace ulysses::test {

/// How many cases of a run have each property: a generator that quietly stopped drawing something would test nothing.
using Coverage = std::map<std::string, std::int64_t>;
Coverage coverageOf(const RunOptions& options);
std::string toText(const Coverage& coverage);

}  // namespace ulysses::test
