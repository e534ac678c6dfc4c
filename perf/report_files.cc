// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Results as files: one JSON document, or CSV with a line for each contender of each size.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "report.h"
#include "result_json.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

constexpr int kSchema = 1;  // raised when a field changes its meaning or goes

ordered_json numberOrNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

std::string utcNow() {
  const time_t now = std::time(nullptr);
  tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

ordered_json compareJson(const CaseResult& result) {
  ordered_json list = ordered_json::array();
  for (size_t i = 1; i < result.contenders.size(); ++i) {
    const ContenderResult& other = result.contenders[i];
    if (!other.unavailable.empty()) {
      list.push_back({{"name", other.name}, {"unavailable", other.unavailable}});
      continue;
    }
    list.push_back({{"name", other.name},
                    {"time_us", timesJson(other.times)},
                    {"b2b_us", toNs(other.backToBackUs)},
                    {"ratio", numberOrNull(other.ratio.median)},
                    {"ratio_range", {numberOrNull(other.ratio.lowest), numberOrNull(other.ratio.highest)}},
                    {"wrong", other.wrong}});
  }
  return list;
}

ordered_json rowJson(const Options& options, const CaseResult& result) {
  const Case& test = *result.test;
  const ContenderResult& own = result.own();
  ordered_json row = {{"op", operationName(options.operation)}, {"backward", options.backward}};
  row.update(geometryJson(options, test));
  row.update({{"tokens", test.tokens},
              {"query_heads", test.queryHeads},
              {"memory", memoryName(options.memory)},
              {"path", pathName(options, result.paths)},
              {"clock", options.memory == Memory::kCuda ? "cuda_events" : "host"},
              {"fresh", options.fresh},
              {"consume", options.consume},
              {"iterations", result.schedule.iterations()},
              {"warmup", result.schedule.warmups},
              {"bytes", result.bytes()},
              {"time_us", timesJson(own.times)},
              {"b2b_us", toNs(own.backToBackUs)},
              {"algbw_gbps", numberOrNull(result.algbwGbps())},
              {"busbw_gbps", numberOrNull(result.busbwGbps())},
              {"wrong", options.check ? ordered_json(own.wrong) : ordered_json(nullptr)},
              {"out_of_bounds", own.damagedGuardBytes},
              {"extra_memory_bytes", result.extraMemoryBytes},
              {"imbalance", test.imbalance},
              {"compare", compareJson(result)}});
  return row;
}

std::string commandLine(const Options& options) {
  std::string line;
  for (const std::string& word : options.arguments) line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string csvLine(const Options& options, const CaseResult& result, const ContenderResult& one) {
  const Case& test = *result.test;
  const double algbw = static_cast<double>(result.bytes()) / one.times.p50 * 1e-3;
  const std::string shape =
      fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}", operationName(options.operation),
                  options.backward ? 1 : 0, test.ranks, test.sequence, test.batch, test.heads, test.kvHeads,
                  options.headDim, options.valueHeadDim, test.type->name, options.layoutName, orderName(test.order),
                  memoryName(options.memory), pathName(options, result.paths), result.bytes());
  return fmt::format("{},{},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.4f},{:.4f},{},{:.4f},{:.4f},{:.4f},{:.4f}\n", shape,
                     one.name, one.times.min, one.times.p50, one.times.p99, one.times.max, one.backToBackUs, algbw,
                     algbw * (test.ranks - 1) / test.ranks, options.check ? std::to_string(one.wrong) : "",
                     test.imbalance, one.ratio.median, one.ratio.lowest, one.ratio.highest);
}

// By rank; of no length where tensors are in host memory.
ordered_json devicesJson(const Options& options, const Report& report) {
  ordered_json list = ordered_json::array();
  for (int rank = 0; rank < options.ranks; ++rank)
    if (const std::string device = report.deviceOf(rank); !device.empty()) list.push_back(device);
  return list;
}

}  // namespace

void writeJson(const Options& options, const Report& report) {
  ordered_json rows = ordered_json::array();
  for (const CaseResult& result : report.results()) rows.push_back(rowJson(options, result));
  const ordered_json document = {
      {"schema", kSchema},
      {"tool", "ulysses_perf"},
      {"version", fmt::format("{}.{}.{}", ULYSSES_VERSION_MAJOR, ULYSSES_VERSION_MINOR, ULYSSES_VERSION_PATCH)},
      {"library_version", libraryVersion()},
      {"host", hostName()},
      {"cpu", cpuModel()},
      {"cores", allowedCores().size()},
      {"gpus", devicesJson(options, report)},
      {"command", commandLine(options)},
      {"end_time", utcNow()},
      {"results", rows},
      {"out_of_bounds", {{"count", report.damagedGuardBytes()}, {"okay", report.damagedGuardBytes() == 0}}},
      {"average_bus_bandwidth", {{"bandwidth", numberOrNull(report.averageBusbwGbps())}}}};
  writeFile(options.jsonFile, document.dump(2) + "\n");
}

void writeCsv(const Options& options, const Report& report) {
  std::string text = fmt::format("# ulysses_perf schema {} library {} host {} command {}\n", kSchema, libraryVersion(),
                                 hostName(), commandLine(options));
  text +=
      "op,backward,ranks,seq,batch,heads,kv_heads,head_dim,v_head_dim,dtype,layout,order,memory,path,bytes,name,min_us,"
      "p50_us,p99_us,max_us,b2b_us,algbw_gbps,busbw_gbps,wrong,imbalance,ratio,ratio_min,ratio_max\n";
  for (const CaseResult& result : report.results()) {
    for (const ContenderResult& one : result.contenders) {
      if (one.unavailable.empty()) text += csvLine(options, result, one);
    }
  }
  writeFile(options.csvFile, text);
}

}  // namespace ulysses::perf
