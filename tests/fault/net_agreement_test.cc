// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows B8, B10 and the second half of joining: what one rank says, all ranks are told.
#include <gtest/gtest.h>

#include <algorithm>

#include "fault/rendezvous_ranks.h"

namespace ulysses::test {

namespace {

using Finish = std::function<void(int rank, const Membership&)>;

/// All ranks join; what each does after it was welcomed is `finish`.
std::vector<Outcome> joinAndThen(int nRanks, const Finish& finish, std::int64_t timeoutMs = 5000) {
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<Outcome> outcomes(static_cast<std::size_t>(nRanks));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < nRanks; ++rank)
    threads.emplace_back([&, rank] {
      Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
      const std::int64_t start = nowNs();
      try {
        const Membership membership =
            joinRendezvous(id, infoOf(rank, nRanks, timeoutMs), Deadline::inMs(timeoutMs + 1000));
        finish(rank, membership);
      } catch (const Error& error) {
        outcome.error = std::string(nameOf(error.result())) + ": " + error.what();
      }
      outcome.ms = static_cast<double>(nowNs() - start) * 1e-6;
    });
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

void expectTold(const std::vector<Outcome>& outcomes, int except, const std::string& text) {
  double worst = 0;
  for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
    worst = std::max(worst, outcomes[rank].ms);
    const bool told = static_cast<int>(rank) == except || outcomes[rank].error.rfind(text, 0) == 0;
    EXPECT_TRUE(told) << "rank " << rank << " got: " << outcomes[rank].error;
  }
  EXPECT_LT(worst, 1000.0);
  testing::Test::RecordProperty("all_told_ms", std::to_string(worst));
}

/// Two builds of one version whose boards differ.
TEST(NetAgreement, AnotherRecordVersion) {
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<RankInfo> infos = {infoOf(0, 3), infoOf(1, 3), infoOf(2, 3)};
  infos[2].recordVersion = 99;
  for (const Outcome& outcome : joinAll(id, infos)) {
    EXPECT_EQ(outcome.error.rfind("InvalidArgument: rank ", 0), 0u) << outcome.error;
    EXPECT_NE(outcome.error.find("of version 99"), std::string::npos) << outcome.error;
    EXPECT_NE(outcome.error.find("use one build everywhere"), std::string::npos) << outcome.error;
  }
}

TEST(NetAgreement, AllConfirm) {
  for (const Outcome& outcome : joinAndThen(16, [](int, const Membership& membership) { membership.confirm(); }))
    EXPECT_EQ(outcome.error, "");
}

TEST(NetAgreement, ARankThatCannotConnectEndsAll) {
  const auto outcomes = joinAndThen(5, [](int rank, const Membership& membership) {
    if (rank == 3) membership.giveUp(Error(Result::OutOfMemory, "no memory here"));
    membership.confirm();
  });
  expectTold(outcomes, 3, "OutOfMemory: rank 3 (host here, pid 1003): no memory here");
  EXPECT_EQ(outcomes[3].error, "OutOfMemory: no memory here") << "its own text";
}

TEST(NetAgreement, ARankThatDiesWhileConnectingEndsAll) {
  const auto outcomes = joinAndThen(5, [](int rank, const Membership& membership) {
    if (rank == 1) return;  // its connection ends
    membership.confirm();
  });
  expectTold(outcomes, 1, "RemoteLost: rank 1 (host here, pid 1001) left while the communicator was being made");
}

/// The rank that lost a peer is heard first; the cause is still the rank that died.
TEST(NetAgreement, TheCauseGoesBeforeItsConsequence) {
  const auto outcomes = joinAndThen(4, [](int rank, const Membership& membership) {
    if (rank == 0) {
      usleep(50'000);
      membership.giveUp(Error(Result::SystemError, "memfd_create failed"));
    }
    if (rank == 2) membership.giveUp(Error(Result::RemoteLost, "rank 0 did not share its board"));
    membership.confirm();
  });
  expectTold(outcomes, 0, "SystemError: rank 0 (host here, pid 1000): memfd_create failed");
}

TEST(NetAgreement, AConsequenceAloneIsACause) {
  const auto outcomes = joinAndThen(3, [](int rank, const Membership& membership) {
    if (rank == 2) membership.giveUp(Error(Result::RemoteLost, "rank 0 cannot be reached"));
    membership.confirm();
  });
  expectTold(outcomes, 2, "RemoteLost: rank 2 (host here, pid 1002): rank 0 cannot be reached");
}

/// Who waits for its peers learns of it too.
TEST(NetAgreement, WatchThrowsTheVerdict) {
  const auto outcomes = joinAndThen(3, [](int rank, const Membership& membership) {
    if (rank == 1) membership.giveUp(Error(Result::SystemError, "broken"));
    for (const Deadline deadline = Deadline::inMs(3000); !deadline.passed(); usleep(1000)) membership.watch();
  });
  expectTold(outcomes, 1, "SystemError: rank 1 (host here, pid 1001): broken");
}

TEST(NetAgreement, ARankThatHangsIsNamedAtTheDeadline) {
  const auto outcomes = joinAndThen(
      3,
      [](int rank, const Membership& membership) {
        if (rank == 2) usleep(1'500'000);
        membership.confirm();
      },
      700);
  for (const Outcome& outcome : outcomes)
    EXPECT_EQ(outcome.error.rfind("Timeout: rank 2 (host here, pid 1002) did not connect to the other ranks", 0), 0u)
        << outcome.error;
}

}  // namespace

}  // namespace ulysses::test
