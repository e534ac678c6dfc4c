// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "system_info.h"

namespace ulysses::perf {
namespace {

// nccl-tests' habit: fewer decimals as the number grows.
std::string number(double value) { return fmt::format("{:.{}f}", value, value < 100 ? 2 : value < 1000 ? 1 : 0); }

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

}  // namespace

std::string pathName(const Options& options, uint32_t paths) {
  std::string name;
  if (paths & kByShm) name = options.memory == Memory::kRegistered ? "shm registered" : "shm staged";
  if (paths & kByCuda) name = "cuda";
  if (paths & kByUcx) name += name.empty() ? "ucx" : ", ucx";
  return name.empty() ? "self" : name;
}

std::string libraryVersion() {
  int code = 0;
  if (ulyssesGetVersion(&code) != ulyssesSuccess) return "unknown";
  return fmt::format("{}.{}.{}", code / 10000, code / 100 % 100, code % 100);
}

Report::Report(const Options& options, const std::vector<Case>& cases, const SharedArea& area, bool withMpi)
    : options_(options), cases_(cases), area_(area), withMpi_(withMpi) {}

// Ranks that a launcher started say it themselves: it may let each run on other cores.
std::string Report::coreOf(int rank, const std::vector<int>& cores) const {
  const int said = area_.slot(Side::kRanks, rank).core;
  if (said < 0 && (!options_.pin || cores.empty() || !options_.launcher.empty())) return "any core";
  return fmt::format("core {}", said >= 0 ? said : cores[static_cast<size_t>(rank) % cores.size()]);
}

std::string Report::deviceOf(int rank) const { return area_.slot(Side::kRanks, rank).device; }

void Report::header() const {
  if (options_.peerLines) return;
  const Case& first = cases_.front();
  const std::vector<int> cores = allowedCores();
  fmt::print("# ulysses_perf {}.{}.{}  library {}\n", ULYSSES_VERSION_MAJOR, ULYSSES_VERSION_MINOR,
             ULYSSES_VERSION_PATCH, libraryVersion());
  fmt::print("# {}\n", joined(options_.arguments));
  fmt::print("# operation: {}{} ({}), ranks {}, batch {}, heads {}, kv heads {}, head_dim {}, v head_dim {}\n",
             operationName(options_.operation), options_.backward ? " --backward" : "",
             first.op == ulyssesOpScatterHeads ? "ScatterHeads" : "GatherHeads", options_.ranks, options_.batch,
             options_.heads, options_.kvHeads, options_.headDim, options_.valueHeadDim);
  fmt::print("# layout {}, order {}, memory {}, imbalance {:.3g}\n", options_.layoutName, orderName(options_.order),
             memoryName(options_.memory), first.imbalance);
  fmt::print("# inputs rewritten before each iteration: {}, outputs read in the timed part: {}, validation: {}\n",
             options_.fresh ? "yes" : "no", options_.consume ? "yes" : "no", options_.check ? 1 : 0);
  fmt::print("#\n# Using {} of {}, {} cores\n", hostName(), cpuModel(), cores.size());
  for (int rank = 0; rank < options_.ranks; ++rank) {
    fmt::print("#  Rank {:2} Pid {:6} on {}\n", rank, area_.slot(Side::kRanks, rank).pid.load(), coreOf(rank, cores));
  }
  fmt::print("#\n# time: median over iterations of the slowest rank's time{}; size: bytes that a rank receives\n",
             options_.memory == Memory::kCuda ? ", by CUDA events on its stream" : "");
  fmt::print("#{:>13}  {:>11}  {:>7}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}  {:>6}  {:>6}", "size", "count", "type",
             "time", "min", "p99", "max", "b2b", "algbw", "busbw", "#wrong");
  const std::vector<ContenderInfo> infos = contendersOf(options_, first, withMpi_);
  for (size_t i = 1; i < infos.size(); ++i) {
    // A sweep may change the kernel of the floor from row to row.
    const bool isFloor = infos[i].name.starts_with("floor") && cases_.size() > 1;
    fmt::print("  {:>17}", isFloor ? "floor" : infos[i].name);
  }
  fmt::print("\n#{:>13}  {:>11}  {:>7}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}  {:>6}  {:>6}", "(B)", "(elements)",
             "", "(us)", "(us)", "(us)", "(us)", "(us)", "(GB/s)", "(GB/s)", "");
  for (size_t i = 1; i < infos.size(); ++i) fmt::print("  {:>17}", "(x ours)");
  fmt::print("\n");
  std::fflush(stdout);
}

void Report::note(const std::string& text) const {
  clearProgress();
  fmt::print(options_.peerLines ? stderr : stdout, "# note: {}\n", text);
}

void Report::add(const CaseResult& result) {
  clearProgress();
  if (options_.peerLines) {
    addPeerLine(result);
  } else {
    addTableRow(result);
  }
  std::fflush(stdout);
  results_.push_back(result);
}

void Report::addPeerLine(const CaseResult& result) const {
  for (const ContenderResult& one : result.contenders) {
    if (!one.unavailable.empty()) continue;
    const bool isOwn = &one == &result.own();
    fmt::print("RESULT peer={} med={:.3f} min={:.3f} max={:.3f} b2b={:.3f} bytes={} ok={}\n",
               isOwn ? options_.peerName : one.name, one.times.p50, one.times.min, one.times.max, one.backToBackUs,
               result.bytes(), one.wrong + one.damagedGuardBytes == 0 ? "yes" : "BAD");
  }
}

void Report::addTableRow(const CaseResult& result) const {
  const ContenderResult& own = result.own();
  const Case& test = *result.test;
  fmt::print(" {:>13}  {:>11}  {:>7}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}  {:>6}  {:>6}", result.bytes(),
             result.bytes() / test.type->bytes, test.type->name, number(own.times.p50), number(own.times.min),
             number(own.times.p99), number(own.times.max), number(own.backToBackUs), number(result.algbwGbps()),
             number(result.busbwGbps()), options_.check ? std::to_string(own.wrong) : "N/A");
  for (size_t i = 1; i < result.contenders.size(); ++i) {
    const ContenderResult& other = result.contenders[i];
    fmt::print("  {:>17}", other.unavailable.empty() ? number(other.ratio.median) + "x" : "N/A");
  }
  fmt::print("\n");
  if (cases_.size() == 1) fmt::print("#   memory beyond the tensors: {}\n", formatBytes(result.extraMemoryBytes));
  for (size_t i = 1; i < result.contenders.size(); ++i) {
    const ContenderResult& other = result.contenders[i];
    if (!other.unavailable.empty()) {
      fmt::print("#   {:<18} not measured: {}\n", other.name, other.unavailable);
      continue;
    }
    fmt::print("#   {:<18} {:>9} us  min {:>9}  b2b {:>9}  #wrong {}  time / ours {:.3f} [{:.3f}..{:.3f}]\n",
               other.name, number(other.times.p50), number(other.times.min), number(other.backToBackUs),
               options_.check ? std::to_string(other.wrong) : "N/A", other.ratio.median, other.ratio.lowest,
               other.ratio.highest);
  }
}

void Report::footer() const {
  if (options_.peerLines) return;
  const int64_t wrong = wrongElements(), damaged = damagedGuardBytes();
  if (options_.check) fmt::print("# Wrong elements       : {} {}\n", wrong, wrong == 0 ? "OK" : "FAILED");
  fmt::print("# Out of bounds values : {} {}\n", damaged, damaged == 0 ? "OK" : "FAILED");
  if (!results_.empty()) fmt::print("# Path                 : {}\n", pathName(options_, results_.front().paths));
  fmt::print("# Avg bus bandwidth    : {:g}\n", averageBusbwGbps());
  for (int rank = 0; rank < options_.ranks; ++rank)
    if (const std::string device = deviceOf(rank); !device.empty()) fmt::print("# Rank {:2} on {}\n", rank, device);
  std::fflush(stdout);
}

int64_t Report::wrongElements() const {
  int64_t wrong = 0;
  for (const CaseResult& result : results_) {
    for (const ContenderResult& one : result.contenders) wrong += one.wrong;
  }
  return wrong;
}

int64_t Report::damagedGuardBytes() const {
  int64_t damaged = 0;
  for (const CaseResult& result : results_) {
    for (const ContenderResult& one : result.contenders) damaged += one.damagedGuardBytes;
  }
  return damaged;
}

double Report::averageBusbwGbps() const {
  double sum = 0;
  for (const CaseResult& result : results_) sum += result.busbwGbps();
  return results_.empty() ? 0 : sum / static_cast<double>(results_.size());
}

bool Report::showsProgress() const { return cases_.size() > 1 && isatty(STDERR_FILENO) == 1; }

void Report::progress() const {
  if (!showsProgress() || results_.size() == cases_.size()) return;
  const Case& test = cases_[results_.size()];
  fmt::print(stderr, "\r\033[K# {}/{}: {}, {}", results_.size() + 1, cases_.size(),
             formatBytes(test.largestReceivedBytes()), phaseName(area_.slot(Side::kRanks, 0).phase));
  std::fflush(stderr);
}

void Report::clearProgress() const {
  if (!showsProgress()) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

}  // namespace ulysses::perf
