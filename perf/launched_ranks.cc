// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "launched_ranks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <map>

#include "system_info.h"

namespace ulysses::perf {
namespace {

template <size_t N>
void copyText(char (&to)[N], const std::string& from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

}  // namespace

LaunchedComm::LaunchedComm(const Options& options) : nRanks_(options.ranks) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = options.timeoutMs;
  config.init_timeout_ms = options.timeoutMs;
  requireSuccess("ulyssesCommInitLauncher", ulyssesCommInitLauncher(&comm_, &config), nullptr);
}

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

LaunchedRanks::LaunchedRanks(Options& options, const Wanted& wanted, const LaunchedComm& comm) {
  const std::vector<Word> words = agree(comm, [&](Word& own) {
    if (options.rank != 0) return;
    wanted.checkMemory();
    area.emplace(SharedArea::create(options.ranks, wanted.iterations));
    storage = std::make_unique<SharedStorage>(options.ranks, wanted.stripeBytes);
    copyText(own.area, area->path());
    copyText(own.storage, storage->path());
    own.mark = area->mark();
  });
  const std::vector<Word> found = agree(comm, [&](Word& own) {
    own.isApart = options.rank != 0 && !attach(words[0]);
    if (options.rank != 0 && !own.isApart)
      storage = std::make_unique<SharedStorage>(words[0].storage, options.ranks, wanted.stripeBytes);
  });
  if (std::any_of(found.begin(), found.end(), [](const Word& word) { return word.isApart; }))
    goApart(options, wanted, comm);
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

std::string LaunchedRanks::machinesText() const {
  std::map<std::string, std::string> byHost;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    std::string& list = byHost[ranks[rank].host];
    list += fmt::format("{}{}", list.empty() ? "" : ", ", rank);
  }
  std::string text = "ranks on several machines: ";
  for (const auto& [host, list] : byHost) text += fmt::format("{} (ranks {}), ", host, list);
  return text + "who start an iteration together to within the flight of a message";
}

bool LaunchedRanks::attach(const Word& first) {
  try {
    area.emplace(SharedArea::attach(first.area));
  } catch (const RunError&) {
    return false;
  }
  return area->mark() == first.mark;
}

// Comparisons that read the peers' memory have none here.
void LaunchedRanks::goApart(Options& options, const Wanted& wanted, const LaunchedComm& comm) {
  agree(comm, [&](Word&) {
    if (options.compareStrict && (options.compareFloor || options.comparePermute))
      throw RunError("--compare-strict: floor and permute need ranks on one machine, and these are on several");
    options.compareFloor = options.comparePermute = false;
    area.reset();
    area.emplace(SharedArea::create(options.ranks, wanted.iterations));
    storage = std::make_unique<SharedStorage>(options.ranks, 0);
  });
  beside.emplace(options);
  apart.emplace(options, *area, beside->get());
  area->meetBy([this] { apart->meet(); });
}

void failWithWordOfLibrary(const Abandoned& why, const LaunchedComm& comm) {
  std::string word;
  try {
    comm.gather(Word{});
  } catch (const RunError& error) {
    word = error.what();
  }
  throw RunError(word.empty() ? why.what() : fmt::format("{}\n  {}", why.what(), word));
}

}  // namespace ulysses::perf
