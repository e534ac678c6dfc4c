// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>
#include <utility>

#include "info_text.h"
#include "network_pairs.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

// A path with several reasons has a number behind its name in the grid: "shm", "shm.2".
class Reasons {
 public:
  Reasons(const ordered_json& rows, const char* path, const char* reason) : path_(path), reason_(reason) {
    for (const ordered_json& row : rows)
      for (const ordered_json& pair : row["pairs"]) ++entryOf(pair).pairs;
  }

  std::string labelOf(const ordered_json& pair) { return entryOf(pair).label; }

  std::string text() const {
    std::string text;
    for (const auto& [key, entry] : entries_)
      text +=
          fmt::format("  {}: {} ({} {})\n", entry.label, key.second, entry.pairs, entry.pairs == 1 ? "pair" : "pairs");
    return text;
  }

 private:
  struct Entry {
    std::string label;
    int pairs = 0;
  };

  Entry& entryOf(const ordered_json& pair) {
    const std::string path = pair[path_].is_null() ? "none" : pair[path_].get<std::string>();
    const auto [place, isNew] = entries_.try_emplace({path, pair[reason_].get<std::string>()});
    if (isNew) {
      const int number = ++reasonsOf_[path];
      place->second.label = number == 1 ? path : fmt::format("{}.{}", path, number);
    }
    return place->second;
  }

  const char *path_, *reason_;  // keys of a pair
  std::map<std::pair<std::string, std::string>, Entry> entries_;
  std::map<std::string, int> reasonsOf_;
};

template <typename Cell>
std::string grid(const ordered_json& rows, Cell cell) {
  std::string text = "        ";
  for (const ordered_json& row : rows) text += fmt::format(" {:>7}", row["rank"].dump());
  for (const ordered_json& row : rows) {
    text += fmt::format("\n  {:>6}", row["rank"].dump());
    for (const ordered_json& pair : row["pairs"]) text += fmt::format(" {:>7}", cell(pair));
  }
  return text + "\n";
}

// Only where a rank has a GPU.
std::string deviceText(const ordered_json& rows) {
  std::string gpus;
  bool any = false;
  for (const ordered_json& row : rows) {
    const ordered_json gpu = row.value("gpu", ordered_json(nullptr));
    any = any || !gpu.is_null();
    gpus += fmt::format(" {}", gpu.is_null() ? "-" : gpu.dump());
  }
  if (!any) return "";
  Reasons reasons(rows, "device_path", "device_reason");
  return fmt::format("\nGPU memory of each pair, when ranks 0, 1, ... use the GPUs{}\n", gpus) +
         grid(rows, [&](const ordered_json& pair) { return reasons.labelOf(pair); }) + reasons.text();
}

std::string bandwidthText(const ordered_json& ranks) {
  if (ranks["measured_bytes"].is_null()) return "\nbandwidth of each pair: not known (--measure times it)\n";
  return fmt::format("\nGB/s of each pair, measured: {} of registered memory one way, nothing else moving, the best\n",
                     formatBytes(ranks["measured_bytes"].get<int64_t>())) +
         grid(ranks["rows"], [](const ordered_json& pair) {
           const ordered_json& rate = pair["gbyte_per_s"];
           return rate.is_null() ? std::string("-") : fmt::format("{:.2f}", rate.get<double>());
         });
}

std::string settingsText(const ordered_json& settings) {
  std::string text = "\nsettings of the communicator (rank 0)\n";
  for (const auto& [name, setting] : settings.items())
    text += fmt::format("  {:<22} {} ({})\n", name, setting["value"].dump(), setting["from"].get<std::string>());
  return text;
}

}  // namespace

std::string ranksText(const ordered_json& ranks) {
  Reasons reasons(ranks["rows"], "path", "reason");
  return fmt::format("\n{} ranks started by {}; path of each pair (row: reader, column: peer)\n", ranks["count"].dump(),
                     ranks["started_by"].get<std::string>()) +
         grid(ranks["rows"], [&](const ordered_json& pair) { return reasons.labelOf(pair); }) + reasons.text() +
         networkText(ranks["rows"]) + deviceText(ranks["rows"]) + bandwidthText(ranks) +
         settingsText(ranks["settings"]);
}

}  // namespace ulysses::perf
