// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "launched.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "apart.h"
#include "gather.h"
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

// The communicator of all ranks of the launcher.
class LaunchedComm {
 public:
  explicit LaunchedComm(const Options& options) : nRanks_(options.ranks) {
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.timeout_ms = options.timeoutMs;
    config.init_timeout_ms = options.timeoutMs;
    requireSuccess("ulyssesCommInitLauncher", ulyssesCommInitLauncher(&comm_, &config), nullptr);
  }
  LaunchedComm(const LaunchedComm&) = delete;
  LaunchedComm& operator=(const LaunchedComm&) = delete;
  ~LaunchedComm() { (void)ulyssesCommDestroy(comm_); }

  ulyssesComm_t get() const { return comm_; }

  template <typename Record>
  std::vector<Record> gather(const Record& own) const {
    return allGather(comm_, nRanks_, own);
  }

 private:
  int nRanks_;
  ulyssesComm_t comm_ = nullptr;
};

// What ranks tell each other before measuring.
struct Word {
  char area[64] = {}, storage[64] = {};  // paths, of rank 0
  uint64_t mark = 0;                     // of that area
  bool isApart = false;                  // the area is not there: this rank is on another machine
  char host[64] = {};
  pid_t pid = 0;
  int core = -1;         // that it is bound to; -1: none
  char error[384] = {};  // empty: this rank is ready
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

// What there is beside the library. On one machine rank 0 makes the memory that ranks share, and the others find it by
// its path; on several each rank has its own.
struct Common {
  std::optional<SharedArea> area;
  std::unique_ptr<SharedStorage> storage;
  std::optional<LaunchedComm> beside;  // of ranks on several machines
  std::optional<Apart> apart;
  std::vector<Word> ranks;

  Common(Options& options, const std::vector<Case>& cases, const LaunchedComm& comm) {
    const int64_t stripe = largestStripeBytes(options, cases);
    const std::vector<Word> words = agree(comm, [&](Word& own) {
      if (options.rank != 0) return;
      checkMemory(options, cases);
      area.emplace(SharedArea::create(options.ranks, mostIterations(options, cases)));
      storage = std::make_unique<SharedStorage>(options.ranks, stripe);
      copyText(own.area, area->path());
      copyText(own.storage, storage->path());
      own.mark = area->mark();
    });
    const std::vector<Word> found = agree(comm, [&](Word& own) {
      own.isApart = options.rank != 0 && !attach(words[0]);
      if (options.rank != 0 && !own.isApart)
        storage = std::make_unique<SharedStorage>(words[0].storage, options.ranks, stripe);
    });
    if (std::any_of(found.begin(), found.end(), [](const Word& word) { return word.isApart; }))
      goApart(options, cases, comm);
    ranks = agree(comm, [&](Word& own) {
      copyText(own.host, hostName());
      own.pid = getpid();
      if (options.pin) own.core = pinToCore(options.rank);
    });
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      RankSlot& slot = area->slot(Side::kRanks, static_cast<int>(rank));
      slot.pid = ranks[rank].pid;
      slot.core = ranks[rank].core;
    }
  }

  // "ranks on several machines: host-a (ranks 0, 1), host-b (ranks 2, 3); ..."
  std::string machinesText() const {
    std::map<std::string, std::string> byHost;
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      std::string& list = byHost[ranks[rank].host];
      list += fmt::format("{}{}", list.empty() ? "" : ", ", rank);
    }
    std::string text = "ranks on several machines: ";
    for (const auto& [host, list] : byHost) text += fmt::format("{} (ranks {}), ", host, list);
    return text + "who start an iteration together to within the flight of a message; no floor, no permute";
  }

 private:
  bool attach(const Word& first) {
    try {
      area.emplace(SharedArea::attach(first.area));
    } catch (const RunError&) {
      return false;
    }
    return area->mark() == first.mark;
  }

  // Comparisons that read the peers' memory have none here.
  void goApart(Options& options, const std::vector<Case>& cases, const LaunchedComm& comm) {
    agree(comm, [&](Word&) {
      if (options.compareStrict && (options.compareFloor || options.comparePermute))
        throw RunError("--compare-strict: floor and permute need ranks on one machine, and these are on several");
      options.compareFloor = options.comparePermute = false;
      area.reset();
      area.emplace(SharedArea::create(options.ranks, mostIterations(options, cases)));
      storage = std::make_unique<SharedStorage>(options.ranks, 0);
    });
    beside.emplace(options);
    apart.emplace(options, *area, beside->get());
    area->meetBy([this] { apart->meet(); });
  }
};

// Rank 0 reports, and tells the others how the run ended.
void runRankZero(const Options& options, const std::vector<Case>& cases, Common& common, ulyssesComm_t comm) {
  SharedArea& area = *common.area;
  Report report(options, cases, area, false);
  report.note(fmt::format("ranks started by {}", options.launcher));
  if (common.apart) report.note(common.machinesText());
  report.header();
  runCases(options, cases, area, *common.storage, options.rank, false, comm, [&](const Case& test) {
    if (common.apart) common.apart->collect(test);
    report.add(collectResult(area, options, test, false));
    storeAndWake(area.shown(), static_cast<uint32_t>(report.results().size()));
  });
  area.exitCode() = static_cast<uint32_t>(conclude(options, report));
  storeAndWake(area.shown(), static_cast<uint32_t>(cases.size()) + 1);
}

void runOtherRank(const Options& options, const std::vector<Case>& cases, Common& common, ulyssesComm_t comm) {
  SharedArea& area = *common.area;
  runCases(options, cases, area, *common.storage, options.rank, false, comm, [&](const Case& test) {
    if (!common.apart) return;  // rank 0 collects and shows
    common.apart->collect(test);
    storeAndWake(area.shown(), area.shown() + 1);
  });
  if (!common.apart) waitUntilAtLeast(area.shown(), static_cast<uint32_t>(cases.size()) + 1);
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

int runLaunched(const Options& given) {
  Options options = given;
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
  const auto code = static_cast<int>(common.area->exitCode().load());
  return common.apart ? common.apart->share(code) : code;
}

}  // namespace ulysses::perf
