// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report.h"
#include "result_json.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

constexpr const char* kPassNames[kPasses] = {"forward", "backward"};

double toleranceOf(const Options& options) {
  if (options.type->id == ulyssesFloat32) return 2e-6;
  return options.type->id == ulyssesFloat16 ? 1e-3 : 4e-3;
}

template <typename Member>
auto largest(const AttentionResult& result, Member member) {
  auto most = member(result.ranks.front());
  for (const AttentionFigures& rank : result.ranks) most = std::max(most, member(rank));
  return most;
}

double tokensPerSecond(const Case& test, double us) {
  return static_cast<double>(test.sequence * test.batch) / us * 1e6;
}

std::string windowName(const Options& options) {
  if (options.windowLeft < 0 && options.windowRight < 0) return "none";
  return fmt::format("{},{}", options.windowLeft, options.windowRight);
}

void printErrors(const Options& options, const AttentionResult& result) {
  if (!options.check) {
    fmt::print("# Errors               : not checked\n");
    return;
  }
  std::string text;
  for (int tensor = 0; tensor < kCheckedTensors; ++tensor) {
    const auto error = errorOf(result, static_cast<Checked>(tensor));
    if (error) text += fmt::format(" {} {:.1e}", nameOf(static_cast<Checked>(tensor)), *error);
  }
  fmt::print("# Errors               :{} of the norm, at most {:.0e}: {}\n", text, toleranceOf(options),
             isAccurate(options, result) ? "OK" : "FAILED");
  if (options.backward && !errorOf(result, Checked::kKeyGradient))
    fmt::print("# dK, dV               : not checked, a sampled row takes all tokens; use a smaller --seq\n");
}

void printPeer(const AttentionPeer& peer, const AttentionResult& result, const Case& test, int pass) {
  if (!peer.unavailable.empty()) {
    if (pass == 0) fmt::print("#   {}: not there: {}\n", peer.name, peer.unavailable);
    return;
  }
  const auto [lowest, highest] = std::minmax_element(peer.roundRatios[pass].begin(), peer.roundRatios[pass].end());
  const double us = median(peer.timesUs[pass]);
  fmt::print("  {:>9} {:>11.0f} {:>8.3f} {:>10.0f} {:>10.0f} {:>34} {}  time / ours {:.3f} [{:.3f}..{:.3f}]\n",
             kPassNames[pass], tokensPerSecond(test, us), result.flops[pass] / us * 1e-6, us,
             *std::min_element(peer.timesUs[pass].begin(), peer.timesUs[pass].end()), "", peer.name,
             median(peer.roundRatios[pass]), *lowest, *highest);
}

ordered_json peerJson(const AttentionPeer& peer, int passes) {
  if (!peer.unavailable.empty()) return {{"name", peer.name}, {"unavailable", peer.unavailable}};
  ordered_json json = {{"name", peer.name}};
  for (int pass = 0; pass < passes; ++pass)
    json[kPassNames[pass]] = {{"time_us", median(peer.timesUs[pass])}, {"ratio", median(peer.roundRatios[pass])}};
  return json;
}

ordered_json passJson(const Case& test, const AttentionResult& result, int pass) {
  const TimesUs& times = result.times[pass];
  return {{"time_us", timesJson(times)},
          {"tokens_per_s", tokensPerSecond(test, times.p50)},
          {"tflop_per_s", result.flops[pass] / times.p50 * 1e-6},
          {"exposed_us", largest(result, [=](const AttentionFigures& r) { return r.exposedUs[pass]; })},
          {"local_us", largest(result, [=](const AttentionFigures& r) { return r.localUs[pass]; })}};
}

ordered_json resultJson(const Options& options, const Case& test, const AttentionResult& result) {
  ordered_json row = {{"op", "attention"}};
  row.update(geometryJson(options, test));
  row.update({{"threads", options.threads},
              {"memory", memoryName(options.memory)},
              {"causal", options.causal},
              {"window_left", options.windowLeft},
              {"window_right", options.windowRight},
              {"head_groups", result.ranks.front().headGroups},
              {"tensor_bytes", largest(result, [](const AttentionFigures& r) { return r.tensorBytes; })},
              {"workspace_bytes", largest(result, [](const AttentionFigures& r) { return r.workspaceBytes; })},
              {"peak_bytes", largest(result, [](const AttentionFigures& r) { return r.peakBytes; })}});
  const int passes = options.backward ? 2 : 1;
  for (int pass = 0; pass < passes; ++pass) row[kPassNames[pass]] = passJson(test, result, pass);
  for (int tensor = 0; options.check && tensor < kCheckedTensors; ++tensor)
    if (const auto error = errorOf(result, static_cast<Checked>(tensor)))
      row["errors"][nameOf(static_cast<Checked>(tensor))] = *error;
  row["compare"] = ordered_json::array();
  for (const AttentionPeer& peer : result.peers) row["compare"].push_back(peerJson(peer, passes));
  return row;
}

}  // namespace

std::optional<double> errorOf(const AttentionResult& result, Checked tensor) {
  Squares sum;
  for (const AttentionFigures& rank : result.ranks) {
    sum.difference += rank.squares[static_cast<int>(tensor)].difference;
    sum.wanted += rank.squares[static_cast<int>(tensor)].wanted;
  }
  if (sum.wanted == 0) return std::nullopt;
  return std::sqrt(sum.difference / sum.wanted);
}

bool isAccurate(const Options& options, const AttentionResult& result) {
  for (int tensor = 0; tensor < kCheckedTensors; ++tensor)
    if (const auto error = errorOf(result, static_cast<Checked>(tensor)); error && !(*error <= toleranceOf(options)))
      return false;
  return true;
}

void printAttentionHeader(const Options& options) {
  std::string command;
  for (const std::string& word : options.arguments) command += " " + (command.empty() ? "ulysses_perf" : word);
  fmt::print("# ulysses_perf {}.{}.{}  library {}\n#{}\n", ULYSSES_VERSION_MAJOR, ULYSSES_VERSION_MINOR,
             ULYSSES_VERSION_PATCH, libraryVersion(), command);
  fmt::print("# attention: ranks {}, {} each, seq {}, batch {}, heads {}, kv heads {}, head_dim {}, v head_dim {}\n",
             options.ranks, options.threads == 1 ? "1 thread" : fmt::format("{} threads", options.threads),
             options.sequence, options.batch, options.heads, options.kvHeads, options.headDim, options.valueHeadDim);
  fmt::print("# {}, layout {}, order {}, memory {}, causal: {}, window: {}\n", options.type->name, options.layoutName,
             orderName(options.order), memoryName(options.memory), options.causal ? "yes" : "no", windowName(options));
  fmt::print("# Using {} of {}, {} cores\n#\n", hostName(), cpuModel(), allowedCores().size());
  fmt::print(
      "# time: median over iterations of the slowest rank's; exposed: in exchanges, local: in local attention\n");
  fmt::print("# {:>9} {:>11} {:>8} {:>10} {:>10} {:>10} {:>10} {:>12}\n", "pass", "tokens/s", "TFLOP/s", "time(us)",
             "min(us)", "exposed", "local", "");
  std::fflush(stdout);
}

void printAttention(const Options& options, const Case& test, const AttentionResult& result) {
  for (int pass = 0; pass < (options.backward ? 2 : 1); ++pass) {
    const double us = result.times[pass].p50;
    fmt::print("  {:>9} {:>11.0f} {:>8.3f} {:>10.0f} {:>10.0f} {:>10.0f} {:>10.0f} {:>12} ulysses\n", kPassNames[pass],
               tokensPerSecond(test, us), result.flops[pass] / us * 1e-6, us, result.times[pass].min,
               largest(result, [=](const AttentionFigures& r) { return r.exposedUs[pass]; }),
               largest(result, [=](const AttentionFigures& r) { return r.localUs[pass]; }), "");
    for (const AttentionPeer& peer : result.peers) printPeer(peer, result, test, pass);
  }
  fmt::print("# Memory of a rank     : tensors {}, workspace {}; measured beyond the tensors {}\n",
             formatBytes(largest(result, [](const AttentionFigures& r) { return r.tensorBytes; })),
             formatBytes(largest(result, [](const AttentionFigures& r) { return r.workspaceBytes; })),
             formatBytes(largest(result, [](const AttentionFigures& r) { return r.peakBytes; })));
  fmt::print("# Head groups          : {}\n", result.ranks.front().headGroups);
  printErrors(options, result);
}

void writeAttentionJson(const Options& options, const Case& test, const AttentionResult& result) {
  const ordered_json document = {{"schema", 1},
                                 {"tool", "ulysses_perf attention"},
                                 {"library_version", libraryVersion()},
                                 {"host", hostName()},
                                 {"cpu", cpuModel()},
                                 {"cores", allowedCores().size()},
                                 {"results", {resultJson(options, test, result)}}};
  writeFile(options.jsonFile, document.dump(2) + "\n");
}

}  // namespace ulysses::perf
