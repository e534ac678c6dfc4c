// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/dump.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "base/own_file.h"
#include "topo/nic_json.h"

namespace ulysses {
namespace {

using nlohmann::ordered_json;

constexpr int kFormat = 1;  // of the JSON; grows when a key changes its meaning or goes

const char* nameOf(Phase phase) {
  constexpr const char* kNames[] = {"announced", "agreed", "moved", "closed"};
  return kNames[static_cast<int>(phase)];
}

std::string wallTime(int64_t monotonicNs) {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  const int64_t ns = wall.tv_sec * 1'000'000'000 + wall.tv_nsec - (nowNs() - monotonicNs);
  const time_t seconds = ns / 1'000'000'000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return formatText("{}.{:06}Z", std::string_view(text, length), ns % 1'000'000'000 / 1000);
}

/// Of the times of operations.
int64_t timeStepUs() {
  timespec step{};
  clock_getres(log::traces(log::Subsystem::Exchange) ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE, &step);
  return step.tv_nsec / 1000;
}

std::string versionText(uint32_t code) { return formatText("{}.{}.{}", code / 10000, code / 100 % 100, code % 100); }

/// "sequence,batch,head" of a dimensionOrder code.
std::string orderText(int32_t code) {
  constexpr const char* kDimensions[] = {"?", "sequence", "batch", "group", "head"};
  std::string text;
  for (const char digit : code == 0 ? std::string() : formatText("{}", code))
    text += formatText("{}{}", text.empty() ? "" : ",", kDimensions[std::clamp(digit - '0', 0, 4)]);
  return text;
}

/// The last bit stands for all peers from its place on.
ordered_json ranksOf(uint64_t bits) {
  ordered_json ranks = ordered_json::array();
  for (int rank = 0; rank < 64; ++rank)
    if (bits >> rank & 1) ranks.push_back(rank);
  return ranks;
}

ordered_json settingsJson(const Settings& settings) {
  ordered_json json;
  for (const Settings::Row& row : settings.rows())
    json[row.name] = {{"value", row.word ? ordered_json(row.word) : ordered_json(row.value)},
                      {"from", nameOf(row.from)}};
  return json;
}

ordered_json failureJson(const Failure& failure) {
  if (failure.result == Result::Success) return nullptr;
  return {{"op", failure.sequence},         {"result", nameOf(failure.result)},
          {"text", failure.text},           {"reproduce", failure.reproduction},
          {"did_not_call", failure.absent}, {"did_not_finish", failure.unfinished}};
}

ordered_json peerJson(const PeerView& peer) {
  return {{"rank", peer.rank},   {"pid", peer.pid},      {"path", peer.path}, {"last_op", peer.lastSequence},
          {"state", peer.state}, {"reason", peer.reason}};
}

ordered_json operationJson(const FlightEntry& entry) {
  const auto us = [&](int64_t ns) -> ordered_json {
    if (ns == 0) return nullptr;
    return (ns - entry.startedNs) / 1000;
  };
  const CallSummary& call = entry.call;
  ordered_json json = {{"op", entry.sequence},
                       {"operation", nameOf(entry.operation)},
                       {"phase", nameOf(entry.phase)},
                       {"result", nameOf(entry.result)},
                       {"started", wallTime(entry.startedNs)},
                       {"agreed_us", us(entry.agreedNs)},
                       {"moved_us", us(entry.movedNs)},
                       {"ended_us", us(entry.endedNs)},
                       {"late_to_call", ranksOf(entry.lateCalls)},
                       {"late_to_finish", ranksOf(entry.lateEnds)},
                       {"bytes_received", call.bytesReceived},
                       {"tensors", call.nTensors}};
  if (call.nTensors == 0) return json;  // it was invalid here, nothing more is known
  json.update({{"seq", call.sequence},
               {"batch", call.batch},
               {"heads", call.heads},
               {"kv_heads", call.kvHeads},
               {"head_dim", call.headDim},
               {"dtype", nameOf(call.type)},
               {"input_order", orderText(call.inputOrder)},
               {"output_order", orderText(call.outputOrder)}});
  return json;
}

/// Names and texts may hold any bytes: what is not UTF-8 is replaced.
std::string textOf(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void addLines(std::string& text, const char* key, const std::vector<ordered_json>& lines) {
  text += formatText(",\n\"{}\": [", key);
  for (size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "\n  " : ",\n  ") + textOf(lines[i]);
  text += lines.empty() ? "]" : "\n]";
}

ordered_json rangeJson(const DeviceExchanges::Range& range) {
  ordered_json staged = nullptr;
  if (!range.whyShadow.empty()) staged = range.whyShadow;
  return {{"address", formatText("{}", static_cast<const void*>(range.memory))},
          {"bytes", range.bytes},
          {"window", range.window},
          {"staged", staged}};
}

/// Registered memory only, so that nothing is asked of the driver.
void addDevice(std::string& text, const DeviceExchanges* device) {
  if (device == nullptr) {
    text += ",\n\"gpu\": null";
    return;
  }
  const DeviceExchanges::View view = device->view();
  const auto trouble = device->trouble();
  const ordered_json gpu = {{"ordinal", view.gpu},
                            {"engine", nameOf(view.policy)},
                            {"blocks", view.blocks},
                            {"failure", trouble ? ordered_json(trouble->text) : ordered_json(nullptr)}};
  text += ",\n\"gpu\": " + textOf(gpu);
  std::vector<ordered_json> ranges;
  for (const DeviceExchanges::Range& range : view.ranges) ranges.push_back(rangeJson(range));
  addLines(text, "gpu_memory", ranges);
}

std::vector<ordered_json> operationLines(const Exchange& exchange) {
  const uint64_t last = exchange.lastStarted();
  // The place after the last may hold an operation that was being announced.
  std::vector<ordered_json> lines;
  for (uint64_t sequence = last < FlightRecorder::kEntries ? 1 : last + 2 - FlightRecorder::kEntries;
       sequence <= last + 1; ++sequence)
    if (const FlightEntry& entry = exchange.recorder().at(sequence); entry.sequence == sequence)
      lines.push_back(operationJson(entry));
  return lines;
}

}  // namespace

std::string dumpOf(const Exchange& exchange, const Settings& settings, const std::optional<NicChoice>& nics,
                   const DeviceExchanges* device) {
  const Identity& self = exchange.identity();
  const ordered_json head = {{"format", kFormat},
                             {"library", versionText(settings.libraryVersion)},
                             {"written", wallTime(nowNs())},
                             {"host", self.host},
                             {"pid", self.pid},
                             {"rank", self.rank},
                             {"n_ranks", self.nRanks},
                             {"comm", self.name},
                             {"time_step_us", timeStepUs()},
                             {"settings", settingsJson(settings)},
                             {"network", nics ? jsonOf(*nics) : ordered_json(nullptr)}};
  std::string text = "{";
  for (const auto& [key, value] : head.items())
    text += formatText("{}\n\"{}\": {}", text.size() == 1 ? "" : ",", key, textOf(value));
  const bool isRevoked = exchange.revoked() != Result::Success;
  text += ",\n\"revoked\": " + textOf(isRevoked ? ordered_json(exchange.cause()) : ordered_json(nullptr));
  text += ",\n\"failure\": " + textOf(failureJson(exchange.failure()));
  addDevice(text, device);
  std::vector<ordered_json> peers;
  for (const PeerView& peer : exchange.peerViews()) peers.push_back(peerJson(peer));
  addLines(text, "peers", peers);
  addLines(text, "operations", operationLines(exchange));
  return text + "\n}\n";
}

void writeDumpFile(const Exchange& exchange, const Settings& settings, const std::optional<NicChoice>& nics,
                   const DeviceExchanges* device) noexcept {
  try {
    const char* pattern = env::text("ULYSSES_DUMP_FILE");
    if (!pattern) return;
    const Identity& self = exchange.identity();
    const std::string who = self.whoText();
    const std::string name =
        expandFileName(pattern, {.host = self.host, .pid = self.pid, .rank = self.rank, .comm = self.name});
    std::string problem;
    const UniqueFd file = openOwnFile(name, Existing::Replace, problem);
    const std::string text = file ? dumpOf(exchange, settings, nics, device) : "";
    for (size_t done = 0; problem.empty() && done < text.size();) {
      const ssize_t bytes = ::write(file.get(), text.data() + done, text.size() - done);
      if (bytes < 0 && errno != EINTR) problem = std::strerror(errno);
      if (bytes > 0) done += static_cast<size_t>(bytes);
    }
    if (problem.empty())
      log::info({log::Subsystem::Exchange, who}, "state written to {}", name);
    else
      log::warn({log::Subsystem::Exchange, who}, "ULYSSES_DUMP_FILE={}: {} cannot be written: {}", pattern, name,
                problem);
  } catch (const std::exception& error) {
    log::warn(log::Subsystem::Exchange, "the dump failed: {}", error.what());
  }
}

}  // namespace ulysses
