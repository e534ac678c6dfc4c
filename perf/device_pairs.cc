// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "device_pairs.h"

#include <utility>

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

// null: the host has none.
ordered_json gpuOf(const ordered_json& host, const ordered_json& rank) {
  const size_t count = host["cuda"]["gpus"].size();
  size_t local = 0;
  while (host["ranks"][local] != rank) ++local;
  return count == 0 ? ordered_json(nullptr) : ordered_json(local % count);
}

std::string whyNone(const ordered_json& host) {
  const ordered_json& problem = host["cuda"]["problem"];
  return problem.is_null() ? "no GPU" : problem.get<std::string>();
}

std::pair<ordered_json, std::string> pathBetween(const ordered_json& hosts, const ordered_json& from,
                                                 const ordered_json& to) {
  for (const ordered_json* const end : {&from, &to})
    if ((*end)["gpu"].is_null()) return {nullptr, whyNone(hosts[(*end)["host"].get<size_t>()])};
  if (hosts.size() > 1) return {"host", "several hosts: through pinned host memory"};
  const ordered_json& cuda = hosts[from["host"].get<size_t>()]["cuda"];
  if (from["rank"] == to["rank"]) return {"self", "this rank"};
  if (from["gpu"] == to["gpu"]) return {"cuda", "same GPU"};
  if (cuda["gpus"][from["gpu"].get<size_t>()]["peer_access"][to["gpu"].get<size_t>()].get<bool>())
    return {"cuda", "peer access"};
  return {nullptr, "the GPU of the reader has no access to the peer's (see nvidia-smi topo -p2p w)"};
}

}  // namespace

void addDevicePairs(const ordered_json& hosts, ordered_json& rows) {
  for (ordered_json& row : rows) row["gpu"] = gpuOf(hosts[row["host"].get<size_t>()], row["rank"]);
  const ordered_json all = rows;
  for (ordered_json& row : rows)
    for (ordered_json& pair : row["pairs"]) {
      auto [path, reason] = pathBetween(hosts, row, all[pair["peer"].get<size_t>()]);
      pair["device_path"] = std::move(path);
      pair["device_reason"] = std::move(reason);
    }
}

}  // namespace ulysses::perf
