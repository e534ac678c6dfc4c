// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "pairs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include "error.h"
#include "gather.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

ordered_json dumpOf(ulyssesComm_t comm) {
  constexpr size_t kSlackBytes = 65536;  // texts of peers may grow between two calls
  size_t needed = 0;
  requireSuccess("ulyssesCommDump", ulyssesCommDump(comm, nullptr, 0, &needed), comm);
  std::string text(needed + kSlackBytes, '\0');
  requireSuccess("ulyssesCommDump", ulyssesCommDump(comm, text.data(), text.size(), nullptr), comm);
  return ordered_json::parse(text.c_str());
}

ordered_json pairJson(int peer, const std::string& path, const std::string& reason) {
  return {{"peer", peer}, {"path", path}, {"reason", reason}, {"gbyte_per_s", nullptr}};
}

// The communicator of one pair while it is measured; empty at ranks that are not of it.
class PairComm {
 public:
  PairComm(ulyssesComm_t all, int low, int high, int rank) {
    const int color = rank == low || rank == high ? 0 : ULYSSES_SPLIT_NOCOLOR;
    // Errors of it number the two ranks 0 and 1: the name says who they are.
    const std::string name = fmt::format("of ranks {} and {}", low, high);
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.name = name.c_str();
    requireSuccess("ulyssesCommSplit", ulyssesCommSplit(all, color, rank, &comm_, &config), nullptr);
  }
  PairComm(const PairComm&) = delete;
  PairComm& operator=(const PairComm&) = delete;
  ~PairComm() {
    if (comm_ != nullptr) (void)ulyssesCommDestroy(comm_);
  }
  ulyssesComm_t get() const { return comm_; }

 private:
  ulyssesComm_t comm_ = nullptr;
};

struct Free {
  void operator()(void* memory) const { (void)ulyssesMemFree(memory); }
};
using Memory = std::unique_ptr<void, Free>;

Memory registeredMemory() {
  void* memory = nullptr;
  requireSuccess("ulyssesMemAlloc", ulyssesMemAlloc(&memory, kMeasuredBytes), nullptr);
  std::memset(memory, 1, kMeasuredBytes);
  return Memory(memory);
}

// Rank `sender` of the pair has all tokens, the other one the head: everything crosses, once, one way. Seconds.
double timeOneWay(ulyssesComm_t pair, int sender, const void* input, void* output) {
  constexpr int64_t kRowBytes = 4096, kRows = kMeasuredBytes / kRowBytes;
  std::array<int64_t, 2> tokens{}, heads{};
  tokens[static_cast<size_t>(sender)] = kRows;
  heads[static_cast<size_t>(1 - sender)] = 1;
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = kRows;
  geometry.tokens = tokens.data();
  geometry.queryHeads = heads.data();
  ulyssesTensor_t tensor{};
  tensor.input = input;
  tensor.output = output;
  tensor.headDim = kRowBytes;
  tensor.dtype = ulyssesUint8;
  const auto started = std::chrono::steady_clock::now();
  requireSuccess("ulyssesScatterHeads", ulyssesScatterHeads(&geometry, &tensor, 1, pair, nullptr), pair);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

double bestOneWay(ulyssesComm_t pair, int sender, const void* input, void* output) {
  constexpr int kWarmups = 2, kTimes = 7;
  double best = 0;
  for (int i = 0; i < kWarmups + kTimes; ++i) {
    const double seconds = timeOneWay(pair, sender, input, output);
    if (i == kWarmups || (i > kWarmups && seconds < best)) best = seconds;
  }
  return best;
}

}  // namespace

ordered_json settingsOf(ulyssesComm_t comm) { return dumpOf(comm)["settings"]; }

ordered_json pairRow(ulyssesComm_t comm, int nRanks, int rank) {
  std::vector<ordered_json> pairs(static_cast<size_t>(nRanks));
  ulyssesPathInfo_t self{};
  requireSuccess("ulyssesCommGetPath", ulyssesCommGetPath(comm, rank, &self), comm);
  pairs[static_cast<size_t>(rank)] = pairJson(rank, self.path, self.reason);
  const ordered_json dump = dumpOf(comm);
  for (const ordered_json& peer : dump["peers"])
    pairs.at(peer["rank"].get<size_t>()) = pairJson(peer["rank"], peer["path"], peer["reason"]);
  return {{"rank", rank}, {"pid", getpid()}, {"network", dump["network"]}, {"pairs", pairs}};
}

void measurePairs(ulyssesComm_t comm, int nRanks, int rank, ordered_json& row, const std::function<void()>& onPair) {
  const Memory input = registeredMemory(), output = registeredMemory();
  for (int low = 0; low < nRanks; ++low) {
    for (int high = low + 1; high < nRanks; ++high) {
      const PairComm pair(comm, low, high, rank);
      for (const int sender : {0, 1}) {
        if (pair.get() == nullptr) continue;
        const double seconds = bestOneWay(pair.get(), sender, input.get(), output.get());
        const int peer = sender == 0 ? low : high;
        if (peer != rank)
          row["pairs"][static_cast<size_t>(peer)]["gbyte_per_s"] = static_cast<double>(kMeasuredBytes) * 1e-9 / seconds;
      }
      onPair();
    }
  }
}

}  // namespace ulysses::perf
