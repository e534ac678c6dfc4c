// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows D3, D4 and D5 of the fault matrix: limits of a process that one rank runs into, and the others do not.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>

#include "fault/census.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3, kVictim = 1;
constexpr std::int64_t kTimeoutMs = 3000, kInitTimeoutMs = 1500;  // a rank that cannot call costs the others this
constexpr std::int64_t kMostMs = 2 * kTimeoutMs;

void setLimit(__rlimit_resource which, rlim_t value) {
  rlimit limit;
  getrlimit(which, &limit);
  limit.rlim_cur = value;
  if (setrlimit(which, &limit) != 0) throw std::runtime_error("setrlimit failed");
}

/// Root is above these limits: from here on this process is nobody's.
void dropRoot() {
  constexpr uid_t kNobodys = 61'234;
  if (geteuid() != 0) return;
  if (setuid(kNobodys) != 0) throw std::runtime_error("setuid failed");
  prctl(PR_SET_DUMPABLE, 1);  // else /proc/self is root's
}

/// The lowest descriptor that is free, as the kernel would give it.
int nextDescriptor() {
  const int fd = dup(0);
  if (fd < 0) throw std::runtime_error("dup failed");
  close(fd);
  return fd;
}

ulyssesResult_t tryJoin(const Rank& rank, int which, ulyssesComm_t* comm, bool progressThread = false) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = kTimeoutMs;
  config.init_timeout_ms = kInitTimeoutMs;
  config.progress_thread = progressThread;
  return ulyssesCommInitRankConfig(comm, rank.nRanks(), &rank.id(which), rank.rank(), &config);
}

/// A call of one rank under its limit: right bytes, or an error with a text, in bounded time.
bool isClean(const Rank& rank, ulyssesResult_t result, const std::string& what, std::int64_t startNs) {
  rank.expect(msSince(startNs) < static_cast<double>(kMostMs),
              what + " took " + std::to_string(msSince(startNs)) + " ms");
  if (result == ulyssesSuccess) return true;
  rank.expect(result != ulyssesInternalError, what + ": InternalError: " + lastError());
  rank.expect(!lastError().empty(), what + ": no text");
  rank.note(what + ": " + nameOf(result) + ": " + lastError());
  return false;
}

bool exchangesRight(const Rank& rank, ulyssesComm_t comm, Trial& trial, const std::string& what) {
  const std::int64_t start = nowNs();
  trial.reset();
  if (!isClean(rank, trial.call(comm), what, start)) return false;
  return rank.expect(trial.isRight(), what + ": wrong bytes");
}

/// From which call on the limit holds. Memory of peers comes with the first exchange of it.
enum class From { Joining, Allocating, Exchanging };

using Limit = std::function<void()>;

/// Everything that needs a descriptor, until something fails.
bool useAll(const Rank& rank, ulyssesComm_t comm, From from, const Limit& limit) {
  if (from == From::Allocating) limit();
  try {
    Trial registered(rank.rank(), rank.nRanks(), {.registered = true}), plain(rank.rank(), rank.nRanks());
    if (from == From::Exchanging) limit();
    return exchangesRight(rank, comm, registered, "registered exchange") &&
           exchangesRight(rank, comm, plain, "private exchange");
  } catch (const std::exception& error) {  // of Trial: memory of its own was refused
    rank.note(error.what());
    return false;
  }
}

void joinAndUse(const Rank& rank, From from, const Limit& limit, bool progressThread = false) {
  ulyssesComm_t comm = nullptr;
  if (from == From::Joining) limit();
  const std::int64_t start = nowNs();
  if (!isClean(rank, tryJoin(rank, 0, &comm, progressThread), "join", start)) {
    rank.expect(comm == nullptr, "a failed join left a handle");
    return;
  }
  rank.own().step.store(1);
  if (useAll(rank, comm, from, limit)) rank.own().step.store(2);
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
}

/// When the limit is gone all is as it was, and as good.
void expectRecovered(Rank& rank, const Census& before) {
  rank.expectNone(changeSince(before), "left behind");
  rank.meet();
  const ulyssesComm_t comm = rank.join(kTimeoutMs, 1);
  rank.expectNone(exchangeOn(comm, true), "a fresh registered exchange");
  rank.expectNone(exchangeOn(comm, false), "a fresh private exchange");
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
}

bool anyNamed(const Team& team, int rank, const std::string& part) {
  for (const std::string& text : team.notes(rank))
    if (text.find(part) != std::string::npos) return true;
  return false;
}

std::string allNotes(const Team& team) {
  std::string all;
  for (int rank = 0; rank < kRanks; ++rank)
    for (const std::string& text : team.notes(rank)) all += "\n  rank " + std::to_string(rank) + ": " + text;
  return all;
}

TEST(Memlock, NothingIsLocked) {
  constexpr rlim_t kBytes = 64 << 10;
  Team team(kRanks, [](Rank& rank) {
    dropRoot();
    joinAndUse(rank, From::Joining, [] { setLimit(RLIMIT_MEMLOCK, kBytes); });
    rank.expect(rank.own().step.load() == 2, "it did not work");
  });
  team.expectRight();
}

/// One rank has `spare` descriptors: 2 means that all worked, 1 that joining did.
std::int64_t stepWith(int spare, int victim, From from) {
  Team team(
      kRanks,
      [=](Rank& rank) {
        const Census before = takeCensus();
        rlimit old;
        getrlimit(RLIMIT_NOFILE, &old);
        joinAndUse(rank, from, [&] {
          if (rank.rank() == victim) setLimit(RLIMIT_NOFILE, static_cast<rlim_t>(nextDescriptor() + spare));
        });
        setLimit(RLIMIT_NOFILE, old.rlim_cur);
        expectRecovered(rank, before);
      },
      2);
  team.expectRight();
  const auto stepOf = [&](int rank) { return team.sheet().ranks[rank].step.load(); };
  EXPECT_TRUE(stepOf(victim) == 2 || anyNamed(team, victim, "RLIMIT_NOFILE"))
      << spare << " spare descriptors:" << allNotes(team);
  for (int rank = 0; rank < kRanks; ++rank)
    EXPECT_EQ(stepOf(rank), stepOf(victim)) << "rank " << rank << ", " << spare << " spare:" << allNotes(team);
  return stepOf(victim);
}

/// From too few for that call to enough for all; whoever calls, is called, or makes the board.
void sweep(From from) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers end a process that has no descriptor for their own";
#endif
  constexpr int kMost = 24;
  for (int victim = 0; victim < kRanks; ++victim) {
    int spare = 0;
    while (spare < kMost && stepWith(spare, victim, from) != 2 && !testing::Test::HasFailure()) ++spare;
    EXPECT_GT(spare, 0) << "rank " << victim << " was never short";
    EXPECT_LT(spare, kMost) << "rank " << victim << " never had enough";
  }
}

TEST(Descriptors, WhileJoining) { sweep(From::Joining); }

TEST(Descriptors, ForMemoryOfItsOwn) { sweep(From::Allocating); }

/// The kernel drops a descriptor that the receiver has no place for; the message comes without it.
TEST(Descriptors, ForMemoryOfPeers) { sweep(From::Exchanging); }

TEST(Descriptors, OfTheRendezvous) {
  Team team(
      1,
      [](Rank& rank) {
        const Census before = takeCensus();
        rlimit old;
        getrlimit(RLIMIT_NOFILE, &old);
        setLimit(RLIMIT_NOFILE, static_cast<rlim_t>(nextDescriptor()));
        ulyssesUniqueId_t id;
        rank.expectResult(ulyssesGetUniqueId(&id), ulyssesSystemError, "no descriptor");
        rank.expectText(lastError(), {"RLIMIT_NOFILE"}, "no descriptor");
        setLimit(RLIMIT_NOFILE, old.rlim_cur);
        rank.expectNone(changeSince(before), "left behind");
      },
      0);
  team.expectRight();
}

TEST(Threads, OfTheRendezvous) {
  Team team(
      1,
      [](Rank& rank) {
        dropRoot();
        const Census before = takeCensus();
        setLimit(RLIMIT_NPROC, 0);
        ulyssesUniqueId_t id;
        rank.expectResult(ulyssesGetUniqueId(&id), ulyssesSystemError, "no thread");
        rank.expectText(lastError(), {"thread", "RLIMIT_NPROC"}, "no thread");
        rank.expectNone(changeSince(before), "left behind");
      },
      0);
  team.expectRight();
}

/// The one rank is told why; the others that it is not there.
TEST(Threads, OfProgress) {
  Team team(
      kRanks,
      [](Rank& rank) {
        dropRoot();
        const Census before = takeCensus();
        rlimit old;
        getrlimit(RLIMIT_NPROC, &old);
        const auto limit = [&] {
          if (rank.rank() == kVictim) setLimit(RLIMIT_NPROC, 0);
        };
        joinAndUse(rank, From::Joining, limit, true);
        setLimit(RLIMIT_NPROC, old.rlim_cur);
        rank.expect(rank.own().step.load() == 0, "no rank has this communicator");
        expectRecovered(rank, before);
      },
      2);
  team.expectRight();
  EXPECT_TRUE(anyNamed(team, kVictim, "RLIMIT_NPROC")) << allNotes(team);
  for (const int rank : {0, 2}) EXPECT_TRUE(anyNamed(team, rank, "rank 1")) << allNotes(team);
}

}  // namespace

}  // namespace ulysses::test
