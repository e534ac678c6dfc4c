// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How each pair of ranks is joined, why, and how fast, as ulysses_info shows it.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

#include "ulysses_coll.h"

namespace ulysses::perf {

constexpr int64_t kMeasuredBytes = int64_t{16} << 20;

// This rank's row: its pid and, for each peer, path and reason, from the communicator's own dump; "gbyte_per_s" with
// what the dump does not know, as null. Local. Throws RunError.
nlohmann::ordered_json pairRow(ulyssesComm_t comm, int nRanks, int rank);

// Times one exchange after another in which a peer sends this rank kMeasuredBytes and nothing else moves, pair after
// pair, and puts the best into the row. Called by all ranks; onPair after each pair. Throws RunError.
void measurePairs(ulyssesComm_t comm, int nRanks, int rank, nlohmann::ordered_json& row,
                  const std::function<void()>& onPair);

// The settings of this communicator and where each is from.
nlohmann::ordered_json settingsOf(ulyssesComm_t comm);

}  // namespace ulysses::perf
