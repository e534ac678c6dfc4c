// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "error.h"
#include "net_options.h"
#include "net_pair.h"
#include "net_ucx.h"
#include "result_json.h"
#include "stats.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

// Of one kind, size and depth, over the rounds.
struct NetRow {
  NetTask task;
  std::vector<double> ours{}, ucx{}, ratios{};  // seconds; theirs / ours of each round
};

// Messages that take about 200 ms, at 2 GB/s and 2 us each: ucx_perftest, which is started for each run, has settled
// then.
int64_t countFor(int64_t bytes) {
  return std::max<int64_t>(static_cast<int64_t>(0.2 / (2e-6 + static_cast<double>(bytes) / 2e9)), 16);
}

std::vector<NetRow> rowsOf(const NetOptions& options) {
  std::vector<NetRow> rows;
  for (const int64_t bytes : options.sizes) {
    rows.push_back({.task = {NetTask::Kind::Latency, 1, bytes, countFor(bytes)}});
    for (const int depth : options.depths)
      rows.push_back({.task = {NetTask::Kind::Bandwidth, depth, bytes, countFor(bytes)}});
  }
  return rows;
}

// In turns, the other one first every second time, so that what disturbs disturbs both.
void measure(const NetOptions& options, NetPair& pair, NetRow& row) {
  NetTask warm = row.task;
  warm.count = std::max<int64_t>(row.task.count / 10, 1);
  for (int round = 0; round < options.rounds; ++round) {
    const auto ours = [&] {
      (void)pair.run(warm);
      row.ours.push_back(pair.run(row.task));
    };
    const bool first = round % 2 == 0;
    if (first) ours();
    if (options.compareUcx) row.ucx.push_back(runUcxPerftest(options, row.task));
    if (!first) ours();
    if (options.compareUcx) row.ratios.push_back(row.ucx.back() / row.ours.back());
  }
}

double megabytesPerSecond(const NetTask& task, double seconds) {
  return 1e-6 * static_cast<double>(task.bytes) * static_cast<double>(task.count) / seconds;
}

double figureOf(const NetTask& task, const std::vector<double>& seconds) {
  const double typical = median(seconds);
  return task.kind == NetTask::Kind::Latency ? 1e6 * typical : megabytesPerSecond(task, typical);
}

void print(const NetRow& row) {
  const bool isLatency = row.task.kind == NetTask::Kind::Latency;
  fmt::print("{:>10}  {:<9}  {:>5}  {:>10.2f} {:<4}", row.task.bytes, isLatency ? "latency" : "bandwidth",
             row.task.depth, figureOf(row.task, row.ours), isLatency ? "us" : "MB/s");
  if (!row.ucx.empty()) {
    const auto [low, high] = std::ranges::minmax(row.ratios);
    fmt::print("  {:>10.2f}  {:>5.2f}  {:.2f}..{:.2f}", figureOf(row.task, row.ucx), median(row.ratios), low, high);
  }
  fmt::print("\n");
  (void)fflush(stdout);
}

std::string transports() {
  const char* chosen = std::getenv("UCX_TLS");
  return chosen ? chosen : "UCX's choice";
}

ordered_json jsonOf(const NetRow& row) {
  const bool isLatency = row.task.kind == NetTask::Kind::Latency;
  ordered_json json = {{"bytes", row.task.bytes},
                       {"kind", isLatency ? "latency" : "bandwidth"},
                       {"depth", row.task.depth},
                       {"messages", row.task.count},
                       {isLatency ? "us" : "mb_per_s", figureOf(row.task, row.ours)},
                       {"seconds", row.ours}};
  if (!row.ucx.empty()) {
    json["ucx"] = {{isLatency ? "us" : "mb_per_s", figureOf(row.task, row.ucx)}, {"seconds", row.ucx}};
    json["ratio"] = median(row.ratios);
    json["ratios"] = row.ratios;
  }
  return json;
}

void writeJson(const NetOptions& options, const std::vector<NetRow>& rows) {
  ordered_json json = {{"schema", 1},
                       {"tool", "ulysses_perf net"},
                       {"host", hostName()},
                       {"cpu", cpuModel()},
                       {"transports", transports()},
                       {"device", options.device},
                       {"rounds", options.rounds},
                       {"rows", ordered_json::array()}};
  for (const NetRow& row : rows) json["rows"].push_back(jsonOf(row));
  writeFile(options.jsonFile, json.dump(2) + "\n");
}

}  // namespace

int runNet(int argc, char** argv) {
  const std::optional<NetOptions> options = parseNetOptions(argc, argv);
  if (!options) return 0;
  NetPair pair(*options);
  std::vector<NetRow> rows = rowsOf(*options);
  fmt::print("# NCCL net plugin {} between two processes, UCX_TLS: {}, {} rounds, medians\n", options->plugin,
             transports(), options->rounds);
  fmt::print("{:>10}  {:<9}  {:>5}  {:>15}", "bytes", "what", "depth", "plugin");
  if (options->compareUcx)
    fmt::print("  {:>10}  {:>5}  {}", "ucx", "ratio", "(ucx time / plugin time; above 1: plugin ahead)");
  fmt::print("\n");
  for (NetRow& row : rows) {
    measure(*options, pair, row);
    print(row);
  }
  if (!options->jsonFile.empty()) writeJson(*options, rows);
  return 0;
}

}  // namespace ulysses::perf
