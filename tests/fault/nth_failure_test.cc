// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row D6 of the fault matrix: the n-th call of a kind fails in one of two ranks, n = 1, 2, ..., wherever that is.
#include "fault/nth_failure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "fault/census.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 2;
constexpr std::int64_t kTimeoutMs = 1000;
// The communicator, a split and three exchanges, each by its deadline; the first two have a second of grace each, and a
// machine that does other work.
constexpr double kMostMs = 9 * kTimeoutMs;

constexpr const char* kOfTheTest = "memory of the test";  // of which the library has nothing to say

/// How a rank came through: what failed first, if anything did. Nothing here allocates while a failure is armed.
struct Outcome {
  const char* at = nullptr;
  ulyssesResult_t result = ulyssesSuccess;
  bool isRight = true;

  bool note(const char* where, ulyssesResult_t got) {
    if (got == ulyssesSuccess || at != nullptr) return got == ulyssesSuccess;
    at = where;
    result = got;
    return false;
  }
};

ulyssesConfig_t shortConfig() {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = config.init_timeout_ms = kTimeoutMs;
  config.staging_bytes = 1 << 14;
  config.progress_thread = 1;
  return config;
}

bool exchange(ulyssesComm_t comm, int rank, bool registered, const char* where, Outcome& outcome) {
  try {
    Trial trial(rank, kRanks, {.registered = registered});
    if (!outcome.note(where, trial.call(comm))) return false;
    outcome.isRight &= trial.isRight();
    return true;
  } catch (const std::exception&) {  // the test's own memory
    return outcome.note(kOfTheTest, ulyssesOutOfMemory);
  }
}

/// Makes, uses, splits, uses, destroys; stops at the first failure.
Outcome runScenario(const ulyssesUniqueId_t& id, int rank) {
  Outcome outcome;
  ulyssesConfig_t config = shortConfig();
  ulyssesComm_t comm = nullptr, part = nullptr;
  if (!outcome.note("join", ulyssesCommInitRankConfig(&comm, kRanks, &id, rank, &config))) return outcome;
  if (exchange(comm, rank, true, "registered exchange", outcome) &&
      exchange(comm, rank, false, "private exchange", outcome) &&
      outcome.note("split", ulyssesCommSplit(comm, 0, rank, &part, &config))) {
    exchange(part, rank, true, "exchange after the split", outcome);
    outcome.note("destroy", ulyssesCommDestroy(part));
  }
  outcome.note("destroy", ulyssesCommDestroy(comm));
  return outcome;
}

void expectFresh(Rank& rank) {
  rank.meet();
  const ulyssesComm_t comm = rank.join(20'000, 1);
  rank.expectNone(exchangeOn(comm, true), "a fresh registered exchange");
  rank.expectNone(exchangeOn(comm, false), "a fresh private exchange");
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
}

/// hwloc, which is asked for the caches once in a process, crashes when it has no memory: not ours to test.
void lookAtCaches(const Rank& rank) {
  ulyssesComm_t alone = nullptr;
  rank.expectResult(ulyssesCommInitAll(&alone, 1, nullptr), ulyssesSuccess, "a communicator of one");
  rank.expectResult(ulyssesCommDestroy(alone), ulyssesSuccess, "destroy");
}

void runRank(Rank& rank, const char* call, long n, int victim) {
  const ulyssesUniqueId_t id = rank.id();
  lookAtCaches(rank);
  const Census before = takeCensus();
  const std::int64_t start = nowNs();
  if (rank.rank() == victim) armFailure(call, n);
  const Outcome outcome = runScenario(id, rank.rank());
  if (rank.rank() == victim) rank.own().step.store(disarmFailure());
  rank.expect(msSince(start) < kMostMs, "took " + std::to_string(msSince(start)) + " ms");
  rank.expect(outcome.isRight, "wrong bytes");
  if (outcome.at != nullptr) {
    const std::string text = std::string(outcome.at) + ": " + nameOf(outcome.result) + ": " + lastError();
    const bool isTold = outcome.at == kOfTheTest || !lastError().empty();
    rank.expect(outcome.result != ulyssesInternalError && isTold, text);
    rank.note(text);
  }
  rank.expectNone(changeSince(before), "left behind");
  expectFresh(rank);
}

/// How many calls were counted.
long runOnce(const char* call, long n, int victim) {
  SCOPED_TRACE(std::string(call) + " number " + std::to_string(n) + " fails at rank " + std::to_string(victim));
  Team team(
      kRanks, [=](Rank& rank) { runRank(rank, call, n, victim); }, 2);
  team.expectRight();
  if (std::getenv("FAULT_SHOW") != nullptr)
    for (int rank = 0; rank < kRanks; ++rank)
      for (const std::string& text : team.notes(rank))
        std::printf("%s %ld at %d: rank %d: %s\n", call, n, victim, rank, text.c_str());
  return team.sheet().ranks[victim].step.load();
}

class NthFailure : public testing::TestWithParam<const char*> {};

/// At either rank: the first also makes the board, takes calls and serves the rendezvous of the split.
long runAll(const char* call, int victim) {
  constexpr long kNever = 1'000'000'000, kMost = 24;
  const long calls = runOnce(call, kNever, victim);
  const char* given = std::getenv("FAULT_STEP");
  const long step = given != nullptr ? std::max(1, std::atoi(given)) : std::max(1L, calls / kMost);
  for (long n = 1; n <= calls; n += step) runOnce(call, n, victim);
  return calls;
}

/// Each of few calls; of many a spread of them, and more with FAULT_STEP=1.
TEST_P(NthFailure, EndsCleanly) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have these functions";
#endif
  const long calls = runAll(GetParam(), 0) + runAll(GetParam(), 1);
  EXPECT_GT(calls, 0) << "the library never calls " << GetParam();
  RecordProperty("calls", static_cast<int>(calls));
}

INSTANTIATE_TEST_SUITE_P(Of, NthFailure,
                         testing::Values("malloc", "mmap64", "memfd_create", "ftruncate64", "posix_fallocate64",
                                         "socket", "bind", "listen", "connect", "accept4", "send", "recv", "sendmsg",
                                         "recvmsg", "pthread_create"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace

}  // namespace ulysses::test
