// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ulysses::perf {

// To each pair of rows that messages join its "network": the devices of both ends, "own" and "peer"; else null.
void addNetworkPairs(nlohmann::ordered_json& rows);

// The devices that each rank is meant to use, and why; empty where none has a network path.
std::string networkText(const nlohmann::ordered_json& rows);

}  // namespace ulysses::perf
