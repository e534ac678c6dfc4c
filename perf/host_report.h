// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A host as ulysses_info reports it: the machine, limits, interfaces, UCX. docs/user_guide.md has the keys.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ulysses::perf {

// ulyssesGetTopology's JSON. xmlFile empty: of this machine. Throws InputError naming the file, and RunError.
nlohmann::ordered_json topology(const std::string& xmlFile);

// Everything of this host; `machine` is its part of topology(). Asks UCX, which takes a moment.
nlohmann::ordered_json hostReport(const nlohmann::ordered_json& machine);

// Interfaces that are there; "addresses" are those that ULYSSES_INTERFACE may name.
nlohmann::ordered_json interfacesJson();

}  // namespace ulysses::perf
