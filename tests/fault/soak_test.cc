// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row D8 of the fault matrix: what a rank holds, memory included, stays the same over many communicators, exchanges and
// segments. How many is said by ULYSSES_SOAK_CYCLES and ULYSSES_SOAK_EXCHANGES; the row's own are 10000 and 1000000.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 2;

/// Sanitizers keep what was freed, and stacks of threads: only descriptors and threads tell anything there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryTells = false;
#else
constexpr bool kMemoryTells = true;
#endif

int numberFrom(const char* variable, int fallback) {
  const char* text = std::getenv(variable);
  return text ? std::atoi(text) : fallback;
}

struct Holdings {
  Census census;
  std::int64_t residentBytes = 0;
};

Holdings take() {
  usleep(200'000);  // the rendezvous thread of the last communicator may be on its way out
  malloc_trim(0);   // what is free is not held
  Holdings now{.census = takeCensus()};
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  now.residentBytes = pages * sysconf(_SC_PAGESIZE);
  return now;
}

/// Leaves by how much the resident memory grew in timeNs, and rank 0 how much it was in flag 0.
void expectUnchanged(const Rank& rank, const Holdings& before) {
  rank.expectNone(changeSince(before.census), "at the end");
  const Holdings after = take();
  const std::int64_t grown = after.residentBytes - before.residentBytes;
  rank.own().timeNs.store(grown);
  if (rank.rank() == 0) rank.raiseFlag(0, before.residentBytes);
  if (!kMemoryTells) return;
  const auto change = [](std::int64_t was, std::int64_t is) {
    return std::to_string(was) + " -> " + std::to_string(is);
  };
  rank.expect(after.census.files == before.census.files,
              "mapped files " + change(before.census.files, after.census.files));
  constexpr std::int64_t kArenas = 8;  // of malloc, which come and go
  rank.expect(after.census.mappings <= before.census.mappings + kArenas,
              "mappings " + change(before.census.mappings, after.census.mappings));
  rank.expect(grown < std::max<std::int64_t>(1 << 20, before.residentBytes / 100),
              "resident bytes " + change(before.residentBytes, after.residentBytes));
}

TrialOptions smallTrial(int i) { return {.registered = i % 3 != 0, .tokens = {4, 4}, .heads = {1, 1}}; }

/// Makes a communicator, exchanges on it and destroys it; false when that failed.
bool cycle(Rank& rank, int i) {
  const std::string what = "cycle " + std::to_string(i);
  ulyssesUniqueId_t& id = rank.sheet().id[i % 2];
  if (rank.rank() == i % 2) rank.expectResult(ulyssesGetUniqueId(&id), ulyssesSuccess, "id");
  rank.meet();
  ulyssesComm_t comm = nullptr;
  if (!rank.expectResult(ulyssesCommInitRank(&comm, kRanks, &id, rank.rank()), ulyssesSuccess, what)) return false;
  bool right = false;
  {
    Trial trial(rank.rank(), kRanks, smallTrial(i));
    right = rank.expectNone(trial.exchange(comm, i), what);
  }
  return rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, what) && right;
}

void recordSoak(Team& team, const std::string& what, int count, std::int64_t startNs) {
  const Sheet& sheet = team.sheet();
  const std::int64_t grown = std::max(sheet.ranks[0].timeNs.load(), sheet.ranks[1].timeNs.load());
  recordFigure(what + "_resident_kib", static_cast<double>(sheet.flags[0].load()) / 1024);
  recordFigure(what, count);
  recordFigure(what + "_seconds", msSince(startNs) / 1e3);
  recordFigure(what + "_grown_kib", static_cast<double>(grown) / 1024);
}

TEST(Soak, Communicators) {
  const int cycles = numberFrom("ULYSSES_SOAK_CYCLES", 200), warmUp = 50;
  const std::int64_t startNs = nowNs();
  Team team(
      kRanks,
      [=](Rank& rank) {
        for (int i = 0; i < warmUp; ++i)
          if (!cycle(rank, i)) return;
        const Holdings before = take();
        for (int i = 0; i < cycles; ++i)
          if (!cycle(rank, i)) return;
        expectUnchanged(rank, before);
      },
      0);
  team.expectRight(60'000 + cycles * std::int64_t{60});
  recordSoak(team, "soak_cycles", cycles, startNs);
}

/// On one communicator, each verified; every so often the tensors are in new memory.
TEST(Soak, Exchanges) {
  const int exchanges = numberFrom("ULYSSES_SOAK_EXCHANGES", 20'000), perSegment = 64;
  const std::int64_t startNs = nowNs();
  Team team(kRanks, [=](Rank& rank) {
    const ulyssesComm_t comm = rank.join(60'000);
    const auto run = [&](int count) {
      for (int i = 0; i < count;) {
        Trial trial(rank.rank(), kRanks, smallTrial(i / perSegment));
        for (const int end = std::min(count, i + perSegment); i < end; ++i)
          if (!rank.expectNone(trial.exchange(comm, i), "exchange " + std::to_string(i))) return false;
      }
      // The next call tells the peer which segments are gone: what it still has mapped is none of them then.
      Trial last(rank.rank(), kRanks, smallTrial(0));
      return rank.expectNone(last.exchange(comm), "the last");
    };
    if (!run(perSegment * 30)) return;
    const Holdings before = take();
    if (!run(exchanges)) return;
    expectUnchanged(rank, before);
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight(60'000 + exchanges * std::int64_t{1});
  recordSoak(team, "soak_exchanges", exchanges, startNs);
}

}  // namespace

}  // namespace ulysses::test
