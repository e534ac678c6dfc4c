// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.h"

namespace ulysses::perf {
namespace {

using nlohmann::json;

constexpr int64_t kSchema = 1;
constexpr int64_t kMostRanks = 4096;

// One object of the file. Fields that nobody asked for are an error: mostly they are misspelt.
class Fields {
 public:
  Fields(std::string origin, std::string prefix, const json& object)
      : origin_(std::move(origin)), prefix_(std::move(prefix)), object_(object) {
    if (!object.is_object())
      throw InputError(fmt::format("{}: {}: want an object, in braces", origin_,
                                   prefix_.empty() ? "the whole file" : prefix_.substr(0, prefix_.size() - 1)));
  }

  bool has(const char* name) const { return object_.contains(name); }

  int32_t count(const char* name, int64_t most) {
    const json& value = get(name);
    const bool fits = value.is_number_unsigned() && value.get<uint64_t>() >= 1 &&
                      value.get<uint64_t>() <= static_cast<uint64_t>(most);
    if (!fits) reject(name, fmt::format("want a whole number from 1 to {}", most));
    return value.get<int32_t>();
  }

  double number(const char* name, bool zeroAllowed) {
    const json& value = get(name);
    const double number = value.is_number() ? value.get<double>() : -1;
    if (!std::isfinite(number) || number < 0 || (number == 0 && !zeroAllowed))
      reject(name, zeroAllowed ? "want a number of at least 0" : "want a number above 0");
    return number;
  }

  Fields object(const char* name) { return {origin_, prefix_ + name + ".", get(name)}; }

  void skip(const char* name) { known_.emplace_back(name); }

  void finish() const {
    for (const auto& [name, value] : object_.items())
      if (std::find(known_.begin(), known_.end(), name) == known_.end())
        throw InputError(fmt::format("{}: field {}{}={}: there is no such field; use {}", origin_, prefix_, name,
                                     value.dump(), fmt::join(known_, ", ")));
  }

 private:
  const json& get(const char* name) {
    known_.emplace_back(name);
    if (!has(name)) throw InputError(fmt::format("{}: field {}{} is missing; add it", origin_, prefix_, name));
    return object_[name];
  }

  [[noreturn]] void reject(const char* name, const std::string& remedy) const {
    throw InputError(fmt::format("{}: field {}{}={}: {}", origin_, prefix_, name, object_[name].dump(), remedy));
  }

  std::string origin_, prefix_;
  const json& object_;
  std::vector<std::string> known_;
};

ulyssesLinkCost_t linkOf(Fields fields) {
  const ulyssesLinkCost_t cost{fields.number("latency_us", true) * 1e-6, 1e-9 / fields.number("gbyte_per_s", false)};
  fields.finish();
  return cost;
}

void readLinks(Fields links, ulyssesCluster_t& cluster) {
  for (size_t link = 0; link < kLinkNames.size(); ++link) {
    // Ranks that are threads of one process are rare: a cluster has none unless it says so.
    const bool optional = link == ulyssesLinkProcess;
    if (optional && !links.has(kLinkNames[link])) continue;
    cluster.links[link] = linkOf(links.object(kLinkNames[link]));
  }
  links.skip("process");
  links.finish();
}

json parseJson(const std::string& origin, std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const std::string_view before = text.substr(0, std::min(error.byte, text.size()));
    throw InputError(fmt::format("{}: line {}: not JSON: {}", origin,
                                 1 + std::count(before.begin(), before.end(), '\n'), error.what()));
  }
}

// 0: the field is not there, and there is no bound.
double rate(Fields& fields, const char* name, double unit) {
  fields.skip(name);
  return fields.has(name) ? fields.number(name, false) * unit : 0;
}

}  // namespace

ulyssesCluster_t parseCluster(const std::string& origin, std::string_view text) {
  const json document = parseJson(origin, text);
  Fields fields(origin, "", document);
  fields.skip("comment");
  if (fields.count("schema", kSchema) != kSchema) throw InputError(origin + ": field schema: want 1");
  ulyssesCluster_t cluster = ULYSSES_CLUSTER_INITIALIZER;
  cluster.hosts = fields.count("hosts", kMostRanks);
  cluster.ranksPerHost = fields.count("ranks_per_host", kMostRanks / cluster.hosts);
  cluster.numaNodesPerHost = fields.count("numa_nodes_per_host", kMostRanks);
  cluster.nicsPerHost = fields.count("nics_per_host", kMostRanks);
  readLinks(fields.object("links"), cluster);
  cluster.nicBytesPerSecond = rate(fields, "nic_gbit_per_s", 1e9 / 8);
  cluster.memoryBytesPerSecond = rate(fields, "memory_gbyte_per_s", 1e9);
  const double pack = rate(fields, "pack_gbyte_per_s", 1e9);
  cluster.packSecondsPerByte = pack > 0 ? 1 / pack : 0;
  fields.finish();
  return cluster;
}

ulyssesCluster_t readCluster(const char* option, const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw InputError(fmt::format("{} {}: cannot be read: {}; give a JSON file that describes a cluster", option, path,
                                 std::strerror(errno)));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parseCluster(fmt::format("{} {}", option, path), text);
}

}  // namespace ulysses::perf
