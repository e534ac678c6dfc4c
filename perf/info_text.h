// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ulysses::perf {

// The report of ulysses_info for readers: what its JSON says, each part where it is there.
std::string reportText(const nlohmann::ordered_json& report);

// The part of it about ranks: a grid of paths, the reasons, and a grid of what was measured.
std::string ranksText(const nlohmann::ordered_json& ranks);

}  // namespace ulysses::perf
