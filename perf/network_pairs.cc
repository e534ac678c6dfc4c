// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "network_pairs.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

std::string joined(const ordered_json& names) {
  std::string text;
  for (const ordered_json& name : names) text += (text.empty() ? "" : ",") + name.get<std::string>();
  return text.empty() ? "none known" : text;
}

std::string lineOf(const ordered_json& network) {
  std::string text = fmt::format("{}: {}", joined(network["devices"]), network["reason"].get<std::string>());
  if (!network["allowed"].is_null() && network["allowed"] != network["devices"])
    text += fmt::format(" (UCX may use {})", joined(network["allowed"]));
  return text;
}

}  // namespace

void addNetworkPairs(ordered_json& rows) {
  const ordered_json all = rows;
  const auto devicesOf = [&](const ordered_json& rank) {
    const ordered_json& network = all[rank.get<size_t>()]["network"];
    return network.is_null() ? ordered_json(nullptr) : network["devices"];
  };
  for (ordered_json& row : rows)
    for (ordered_json& pair : row["pairs"])
      pair["network"] = pair["path"] == "ucx"
                            ? ordered_json{{"own", devicesOf(row["rank"])}, {"peer", devicesOf(pair["peer"])}}
                            : ordered_json(nullptr);
}

std::string networkText(const ordered_json& rows) {
  std::map<std::string, std::string> ranksOf;  // by what they use, so that many ranks do not make many lines
  for (const ordered_json& row : rows) {
    const ordered_json network = row.value("network", ordered_json(nullptr));
    if (network.is_null()) continue;
    std::string& ranks = ranksOf[lineOf(network)];
    ranks += (ranks.empty() ? "" : ", ") + row["rank"].dump();
  }
  std::string text;
  for (const auto& [line, ranks] : ranksOf) text += fmt::format("  rank {}: {}\n", ranks, line);
  return text.empty() ? "" : "\nnetwork devices of the ranks\n" + text;
}

}  // namespace ulysses::perf
