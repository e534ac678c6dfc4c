// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the ranks of several hosts say, put together.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ulysses::perf {

struct RankReport {
  nlohmann::ordered_json hosts;  // hostReport() of each, with its ranks
  nlohmann::ordered_json ranks;  // count, started_by, measured_bytes, settings, rows
};

// Two hosts differ in what tells them apart for the library too. Equal keys: one host.
struct HostKey {
  std::array<char, 64> text{};
};
HostKey hostKey(const nlohmann::ordered_json& machine);  // of topology()

// The first rank on the host of this one.
int firstOfHost(const std::vector<HostKey>& keys, int rank);

// texts[rank]: {"row": of it, "host": of the first rank on each host}. head: what goes before the rows.
RankReport mergeHosts(const std::vector<std::string>& texts, const std::vector<HostKey>& keys,
                      nlohmann::ordered_json head);

}  // namespace ulysses::perf
