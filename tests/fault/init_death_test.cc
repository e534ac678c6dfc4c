// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row C5 of the fault matrix: a rank ends while the communicator is made.
#include <csignal>
#include <thread>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;
constexpr std::int64_t kInitMs = 1500;

/// Joins with a short deadline, and if that works makes the first exchange; notes the error. Whether one came.
bool joinAndFail(Rank& rank, const ulyssesUniqueId_t& id) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.init_timeout_ms = kInitMs;
  config.timeout_ms = 5000;
  ulyssesComm_t comm = nullptr;
  const std::int64_t start = nowNs();
  ulyssesResult_t result = ulyssesCommInitRankConfig(&comm, kRanks, &id, rank.rank(), &config);
  std::string text = lastError();
  if (result == ulyssesSuccess) {  // it had all it needs when the other ended
    Trial trial(rank.rank(), kRanks);
    result = trial.call(comm);
    text = lastError(comm);
    (void)ulyssesCommDestroy(comm);
  }
  rank.own().timeNs.store(nowNs() - start);
  rank.note(text);
  return rank.expect(result != ulyssesSuccess, "succeeded without a rank");
}

struct Death {
  const char* point;
  int victim, times;
  bool beforeItIsKnown;  // then only the deadline tells, naming it as missing
  bool namesIt = true;
};

/// Ids are made by rank 0, so that the rendezvous ends with it.
std::vector<double> dieAt(const Death& death) {
  SCOPED_TRACE("rank " + std::to_string(death.victim) + " ends at " + death.point);
  Team team(
      kRanks,
      [&](Rank& rank) {
        std::thread([] {}).join();  // thread sanitizer starts a thread of its own with a process's first
        const Census before = takeCensus();
        if (rank.rank() == death.victim) armPoint(death.point, "kill", death.times);
        if (rank.rank() == 0) {
          rank.expectResult(ulyssesGetUniqueId(&rank.sheet().id[0]), ulyssesSuccess, "id");
          rank.sheet().ids.store(1);
        }
        joinAndFail(rank, rank.id());
        // Stay until all have failed: a rank that ends because of another would be taken for the first to end.
        rank.sheet().flags[0].fetch_add(1);
        rank.waitFlag(0, kRanks - 1);
        rank.expectNone(changeSince(before), "left behind");
      },
      0);
  team.expectEnd(death.victim, SIGKILL);
  team.expectRight();
  std::vector<double> ms;
  for (int rank = 0; rank < kRanks; ++rank) {
    if (rank == death.victim) continue;
    ms.push_back(static_cast<double>(team.sheet().ranks[rank].timeNs.load()) / 1e6);
    EXPECT_LT(ms.back(), kInitMs + 1500) << "rank " << rank;
    const std::string pid = std::to_string(team.pid(death.victim)), number = std::to_string(death.victim);
    for (const std::string& text : team.notes(rank)) {
      const bool named = text.find("rank " + number) != std::string::npos ||
                         text.find("missing: " + number) != std::string::npos || text.find(pid) != std::string::npos;
      EXPECT_TRUE(named || !death.namesIt) << text;
    }
  }
  return ms;
}

TEST(InitDeath, AtOnceWhereTheOthersKnowTheRank) {
  const Death deaths[] = {
      {"init.joined", 2, 1, false},     {"init.half_connected", 1, 1, false}, {"init.connected", 3, 1, false},
      {"init.board_made", 0, 1, false}, {"init.board_shared", 0, 1, false},   {"init.connected", 0, 1, false},
      {"init.joined", 3, 1, false},
  };
  std::vector<double> all;
  for (const Death& death : deaths)
    for (const double ms : dieAt(death)) {
      all.push_back(ms);
      EXPECT_LT(ms, kInitMs) << death.point;  // not at the deadline
    }
  recordTimes("init_detect_ms", all);
}

TEST(InitDeath, ByTheDeadlineWhereTheyDoNot) {
  for (const Death& death : {Death{"init.listening", 2, 1, true}, Death{"join.hello_sent", 3, 1, true},
                             Death{"join.half_introduced", 1, 1, true}})
    (void)dieAt(death);
}

#ifdef ULYSSES_HAVE_UCX
/// Ranks that tell each other their network addresses: after its own was sent, and when it has all.
TEST(InitDeath, AmongContacts) {
  setenv("ULYSSES_PATH", "ucx", 1);
  std::vector<double> all;
  for (const Death& death : {Death{"join.contact_sent", 2, 1, false}, Death{"init.contacts", 1, 1, false},
                             Death{"init.contacts", 3, 1, false}})
    for (const double ms : dieAt(death)) {
      all.push_back(ms);
      EXPECT_LT(ms, kInitMs) << death.point;
    }
  unsetenv("ULYSSES_PATH");
  recordTimes("contacts_detect_ms", all);
}
#endif

/// The rendezvous goes with the process that made the id: the connection breaks.
TEST(InitDeath, TheRootEnds) {
  for (const Death& death : {Death{"root.rank_joined", 0, 2, false, false}, Death{"root.answered", 0, 1, false, false},
                             Death{"root.answered", 0, 2, false, false}, Death{"root.answered", 0, 3, false, false}})
    for (const double ms : dieAt(death)) EXPECT_LT(ms, kInitMs) << death.point;
}

}  // namespace

}  // namespace ulysses::test
