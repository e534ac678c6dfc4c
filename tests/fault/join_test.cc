// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows A7 and A11 of the fault matrix: what communicators are made of.
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>

#include "fault/census.h"
#include "fault/local_ranks.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

struct BadConfig {
  const char* name;
  void (*spoil)(ulyssesConfig_t&);
  std::vector<std::string> parts;
};

const BadConfig kBadConfigs[] = {
    {"size", [](ulyssesConfig_t& c) { c.size = 8; }, {"config.size=8", "header"}},
    {"magic", [](ulyssesConfig_t& c) { c.magic = 0; }, {"config.magic=0x0", "ULYSSES_CONFIG_INITIALIZER"}},
    {"version", [](ulyssesConfig_t& c) { c.version = 99; }, {"version=99", "version 1"}},
    {"reserved", [](ulyssesConfig_t& c) { c.reserved[5] = 1; }, {"config.reserved"}},
    {"timeout", [](ulyssesConfig_t& c) { c.timeout_ms = -1; }, {"config.timeout_ms=-1", "want 1.."}},
    {"init timeout", [](ulyssesConfig_t& c) { c.init_timeout_ms = -5; }, {"config.init_timeout_ms=-5"}},
    {"staging", [](ulyssesConfig_t& c) { c.staging_bytes = 1; }, {"config.staging_bytes=1", "want 4096.."}},
    {"plans", [](ulyssesConfig_t& c) { c.plan_cache_size = -1; }, {"config.plan_cache_size=-1"}},
    {"progress", [](ulyssesConfig_t& c) { c.progress_thread = 2; }, {"config.progress_thread=2", "0 or 1"}},
};

TEST(Join, BadConfig) {
  const Census before = takeCensus();
  for (const BadConfig& bad : kBadConfigs) {
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    bad.spoil(config);
    ulyssesComm_t comms[2] = {reinterpret_cast<ulyssesComm_t>(1), nullptr};
    EXPECT_EQ(ulyssesCommInitAll(comms, 2, &config), ulyssesInvalidArgument) << bad.name;
    EXPECT_EQ(missingFrom(lastError(), bad.parts), "") << bad.name;
    EXPECT_EQ(comms[0], nullptr) << bad.name;
  }
  EXPECT_EQ(changeSince(before), "");
}

TEST(Join, BadRanks) {
  constexpr int kLow = std::numeric_limits<int>::min(), kHigh = std::numeric_limits<int>::max();
  const ulyssesUniqueId_t id = {};
  ulyssesComm_t comm = reinterpret_cast<ulyssesComm_t>(1);
  const auto join = [&](int nRanks, int rank) {
    const ulyssesResult_t result = ulyssesCommInitRank(&comm, nRanks, &id, rank);
    EXPECT_EQ(comm, nullptr);
    return result;
  };
  for (const int rank : {-1, 4, kLow, kHigh}) {
    EXPECT_EQ(join(4, rank), ulyssesInvalidArgument);
    EXPECT_EQ(missingFrom(lastError(), {"rank=" + std::to_string(rank), "want 0..3"}), "");
  }
  for (const int nRanks : {0, -1, kLow, kHigh}) {
    EXPECT_EQ(join(nRanks, 0), ulyssesInvalidArgument);
    EXPECT_EQ(missingFrom(lastError(), {"nRanks=" + std::to_string(nRanks), "want 1.."}), "");
    EXPECT_EQ(ulyssesCommInitAll(&comm, nRanks, nullptr), ulyssesInvalidArgument);
  }
  EXPECT_EQ(join(2, 0), ulyssesInvalidArgument) << "an id of zeroes";
  EXPECT_EQ(missingFrom(lastError(), {"id", "ulyssesGetUniqueId"}), "");
  EXPECT_EQ(ulyssesCommInitRank(&comm, 2, nullptr, 0), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesCommInitRank(nullptr, 2, &id, 0), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesCommInitAll(nullptr, 2, nullptr), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesGetUniqueId(nullptr), ulyssesInvalidArgument);
}

/// Joins wrongly in some way; the last rank comes when the others wait, so that all of them are told.
void joinWrongly(Rank& rank, int as, int of, const std::vector<std::string>& parts) {
  const Census before = takeCensus();
  if (rank.rank() == rank.nRanks() - 1) usleep(300'000);
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.init_timeout_ms = 10'000;
  ulyssesComm_t comm = nullptr;
  const std::int64_t start = nowNs();
  const ulyssesResult_t result = ulyssesCommInitRankConfig(&comm, of, &rank.id(), as, &config);
  rank.expectResult(result, ulyssesInvalidArgument, "join");
  rank.expect(comm == nullptr, "a failed join gave a communicator");
  rank.expect(msSince(start) < 5000, "not at once");
  rank.expectText(lastError(), parts, "join");
  rank.expectNone(changeSince(before), "after a failed join");
  rank.own().step.store(1);
}

TEST(Join, DuplicateRank) {
  Team team(3, [](Rank& rank) {
    const int as = rank.rank() == 2 ? 1 : rank.rank();
    joinWrongly(rank, as, 3, {"rank 1 was given twice", "pid ", "give every process its own"});
    rank.note(lastError());
  });
  EXPECT_TRUE(team.allReached(1));
  team.expectRight();
  for (const int twin : {1, 2}) EXPECT_EQ(missingFrom(team.notes(0).at(0), {std::to_string(team.pid(twin))}), "");
}

TEST(Join, RanksDisagreeOnTheirNumber) {
  Team team(3, [](Rank& rank) {
    const int of = rank.rank() == 2 ? 4 : 3;
    joinWrongly(rank, rank.rank(), of, {"nRanks: rank", "passed 3", "rank 2", "passed 4", "must pass the same"});
  });
  team.expectRight();
}

TEST(Join, MissingRankIsNamed) {
  Team team(3, [](Rank& rank) {
    if (rank.rank() == 1) return;
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.init_timeout_ms = 700;
    ulyssesComm_t comm = nullptr;
    const std::int64_t start = nowNs();
    rank.expectResult(ulyssesCommInitRankConfig(&comm, 3, &rank.id(), rank.rank(), &config), ulyssesTimeout, "join");
    rank.expect(msSince(start) > 500 && msSince(start) < 3000, "not at the deadline");
    rank.expectText(lastError(), {"2 of 3 ranks joined", "missing: 1", "init_timeout_ms"}, "join");
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
