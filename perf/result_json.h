// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the JSON of every kind of result is made of.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "case.h"
#include "options.h"
#include "stats.h"

namespace ulysses::perf {

// Rounded to what the clock resolves.
double toNs(double us);
nlohmann::ordered_json timesJson(const TimesUs& times);

// "ranks" to "order": the geometry of a case.
nlohmann::ordered_json geometryJson(const Options& options, const Case& test);

// The whole file or RunError: a result that is half there helps nobody.
void writeFile(const std::string& path, const std::string& text);

}  // namespace ulysses::perf
