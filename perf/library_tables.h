// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The environment variables of the library, as it knows them itself.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ulysses::perf {

// As a Markdown table: name, default, values, meaning.
std::string environmentTable();

// With the value of each in this process, and whether it is from the environment or the default.
nlohmann::ordered_json environmentJson();

}  // namespace ulysses::perf
