// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "merge_hosts.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ulysses::perf {

using nlohmann::ordered_json;

HostKey hostKey(const ordered_json& machine) {
  const std::string text = machine["boot_id_hash"].dump() + machine["network_namespace"].dump();
  HostKey key;
  std::memcpy(key.text.data(), text.data(), std::min(text.size(), key.text.size()));
  return key;
}

int firstOfHost(const std::vector<HostKey>& keys, int rank) {
  const auto same = [&](const HostKey& key) { return key.text == keys[static_cast<size_t>(rank)].text; };
  return static_cast<int>(std::find_if(keys.begin(), keys.end(), same) - keys.begin());
}

RankReport mergeHosts(const std::vector<std::string>& texts, const std::vector<HostKey>& keys, ordered_json head) {
  RankReport report{ordered_json::array(), std::move(head)};
  report.ranks["rows"] = ordered_json::array();
  std::vector<size_t> hostOf(texts.size());
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    ordered_json own = ordered_json::parse(texts[rank]);
    const auto first = static_cast<size_t>(firstOfHost(keys, static_cast<int>(rank)));
    hostOf[rank] = first == rank ? report.hosts.size() : hostOf[first];
    if (first == rank) {
      report.hosts.push_back(std::move(own["host"]));
      report.hosts.back()["ranks"] = ordered_json::array();
    }
    report.hosts[hostOf[rank]]["ranks"].push_back(rank);
    own["row"]["host"] = hostOf[rank];
    report.ranks["rows"].push_back(std::move(own["row"]));
  }
  return report;
}

}  // namespace ulysses::perf
