// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

namespace ulysses::perf {

// To each row of the ranks "gpu", the ordinal that `ulysses_perf --memory cuda` gives the rank (null: none), and to
// each of its pairs "device_path" ("self", "cuda", "host", or null: there is none) with "device_reason": how device
// memory would go. `hosts` have "cuda" and "ranks". A forecast from CUDA's view: the library itself finds out when
// memory is registered.
void addDevicePairs(const nlohmann::ordered_json& hosts, nlohmann::ordered_json& rows);

}  // namespace ulysses::perf
