// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

namespace ulysses::perf {

// Whether UCX can be loaded here, its version, and the transports and devices it finds. What cannot be told is null,
// and "problem" says why. Takes at most some seconds; leaves nothing of UCX in this process.
nlohmann::ordered_json probeUcx();

}  // namespace ulysses::perf
