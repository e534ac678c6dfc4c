// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "launched.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "peer_watch.h"
#include "preparation.h"
#include "rank.h"
#include "report.h"
#include "shared.h"
#include "shared_tensors.h"
#include "stats.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

std::string textOf(const char* call, ulyssesResult_t result, ulyssesComm_t comm) {
  return fmt::format("{}: {}: {}", call, ulyssesGetErrorString(result), ulyssesGetLastError(comm));
}

// The communicator of all ranks of the launcher.
class LaunchedComm {
 public:
  explicit LaunchedComm(const Options& options) : nRanks_(options.ranks) {
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.timeout_ms = options.timeoutMs;
    config.init_timeout_ms = options.timeoutMs;
    const ulyssesResult_t result = ulyssesCommInitLauncher(&comm_, &config);
    if (result != ulyssesSuccess) throw RunError(textOf("ulyssesCommInitLauncher", result, nullptr));
  }
  LaunchedComm(const LaunchedComm&) = delete;
  LaunchedComm& operator=(const LaunchedComm&) = delete;
  ~LaunchedComm() { (void)ulyssesCommDestroy(comm_); }

  ulyssesComm_t get() const { return comm_; }

  // What every rank says, by rank. A replicated KV head reaches every rank from every rank, so ScatterHeads of one is
  // an all-gather.
  template <typename Record>
  std::vector<Record> gather(const Record& own) const {
    std::vector<Record> all(static_cast<size_t>(nRanks_));
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = nRanks_;
    geometry.heads = nRanks_;
    geometry.kvHeads = 1;
    ulyssesTensor_t tensor{};
    tensor.input = &own;
    tensor.output = all.data();
    tensor.headDim = sizeof(Record);
    tensor.dtype = ulyssesUint8;
    tensor.kind = ulyssesTensorKv;
    const ulyssesResult_t result = ulyssesScatterHeads(&geometry, &tensor, 1, comm_, nullptr);
    if (result != ulyssesSuccess) throw RunError(textOf("ulyssesScatterHeads", result, comm_));
    return all;
  }

 private:
  int nRanks_;
  ulyssesComm_t comm_ = nullptr;
};

// What ranks tell each other before measuring.
struct Word {
  char area[64] = {}, storage[64] = {};  // paths, of rank 0
  char error[384] = {};                  // empty: this rank is ready
};

template <size_t N>
void copyText(char (&to)[N], const std::string& from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

// Runs `prepare`; what it throws is told to all ranks, and thrown at all.
std::vector<Word> agree(const LaunchedComm& comm, const std::function<void(Word&)>& prepare) {
  Word own;
  std::exception_ptr failure;
  try {
    prepare(own);
  } catch (const std::exception& error) {
    failure = std::current_exception();
    copyText(own.error, error.what());
  }
  std::vector<Word> all = comm.gather(own);
  if (failure) std::rethrow_exception(failure);
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (*all[rank].error != '\0') throw RunError(fmt::format("rank {}: {}", rank, all[rank].error));
  }
  return all;
}

// Rank 0 makes the memory that ranks share beside the library, the others find it by its path.
struct Common {
  std::optional<SharedArea> area;
  std::unique_ptr<SharedStorage> storage;

  Common(const Options& options, const std::vector<Case>& cases, const LaunchedComm& comm) {
    const int64_t stripe = largestStripeBytes(options, cases);
    const std::vector<Word> words = agree(comm, [&](Word& own) {
      if (options.rank != 0) return;
      checkMemory(options, cases);
      area.emplace(SharedArea::create(options.ranks, mostIterations(options, cases)));
      storage = std::make_unique<SharedStorage>(options.ranks, stripe);
      copyText(own.area, area->path());
      copyText(own.storage, storage->path());
    });
    agree(comm, [&](Word&) {
      if (options.rank != 0) {
        area.emplace(SharedArea::attach(words[0].area));
        storage = std::make_unique<SharedStorage>(words[0].storage, options.ranks, stripe);
      }
      RankSlot& slot = area->slot(Side::kRanks, options.rank);
      slot.pid = getpid();
      if (options.pin) slot.core = pinToCore(options.rank);
    });
  }
};

// Rank 0 reports, and tells the others how the run ended.
void runRankZero(const Options& options, const std::vector<Case>& cases, Common& common, ulyssesComm_t comm) {
  SharedArea& area = *common.area;
  Report report(options, cases, area, false);
  report.note(fmt::format("ranks started by {}", options.launcher));
  report.header();
  runCases(options, cases, area, *common.storage, options.rank, false, comm, [&] {
    report.add(collectResult(area, options, cases[report.results().size()], false));
    storeAndWake(area.shown(), static_cast<uint32_t>(report.results().size()));
  });
  area.exitCode() = static_cast<uint32_t>(conclude(options, report));
  storeAndWake(area.shown(), static_cast<uint32_t>(cases.size()) + 1);
}

void runOtherRank(const Options& options, const std::vector<Case>& cases, Common& common, ulyssesComm_t comm) {
  runCases(options, cases, *common.area, *common.storage, options.rank, false, comm, [] {});
  waitUntilAtLeast(common.area->shown(), static_cast<uint32_t>(cases.size()) + 1);
}

// Whoever waited in the tool's own barrier has no word of the library's yet: ask for it.
[[noreturn]] void failWithWordOfLibrary(const Abandoned& why, const LaunchedComm& comm) {
  std::string word;
  try {
    comm.gather(Word{});
  } catch (const RunError& error) {
    word = error.what();
  }
  throw RunError(word.empty() ? why.what() : fmt::format("{}\n  {}", why.what(), word));
}

}  // namespace

int runLaunched(const Options& options) {
  const std::vector<Case> cases = makeCases(options);
  const LaunchedComm comm(options);
  Common common(options, cases, comm);
  const PeerWatch watch(options, *common.area, comm.get());
  try {
    options.rank == 0 ? runRankZero(options, cases, common, comm.get())
                      : runOtherRank(options, cases, common, comm.get());
  } catch (const Abandoned& why) {
    failWithWordOfLibrary(why, comm);
  }
  return static_cast<int>(common.area->exitCode().load());
}

}  // namespace ulysses::perf
