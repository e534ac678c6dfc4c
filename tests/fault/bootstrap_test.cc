// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous tells every rank at once what is wrong.
#include <gtest/gtest.h>

#include "fault/rendezvous_ranks.h"

namespace ulysses::test {

namespace {

constexpr const char* kLoopback = "127.0.0.1";

void expectAllFail(const std::vector<Outcome>& outcomes, const std::string& text) {
  for (const Outcome& outcome : outcomes) {
    EXPECT_NE(outcome.error.find(text), std::string::npos) << "got: " << outcome.error << "\nwant: " << text;
    EXPECT_LT(outcome.ms, 5000.0) << "was not told at once";
  }
}

TEST(Bootstrap, AllMeet) {
  for (const int nRanks : {1, 2, 7, 64}) {
    const UniqueId id = openRendezvous(kLoopback);
    std::vector<RankInfo> infos;
    for (int rank = 0; rank < nRanks; ++rank) infos.push_back(infoOf(rank, nRanks));
    const auto outcomes = joinAll(id, infos);
    for (const Outcome& outcome : outcomes) {
      ASSERT_EQ(outcome.error, "");
      EXPECT_EQ(outcome.membership.meshToken, outcomes[0].membership.meshToken);
      for (int rank = 0; rank < nRanks; ++rank)
        EXPECT_EQ(outcome.membership.ranks[static_cast<std::size_t>(rank)].pid, 1000 + rank);
    }
  }
}

TEST(Bootstrap, MeshTokensDiffer) {
  const auto tokenOf = [] { return join(openRendezvous(kLoopback), infoOf(0, 1)).membership.meshToken; };
  EXPECT_NE(tokenOf(), tokenOf());
}

TEST(Bootstrap, AnotherNumberOfRanks) {
  const UniqueId id = openRendezvous(kLoopback);
  expectAllFail(joinAll(id, {infoOf(0, 3), infoOf(1, 3), infoOf(2, 4)}), "all ranks must pass the same");
}

TEST(Bootstrap, TwoOfOneRank) {
  const UniqueId id = openRendezvous(kLoopback);
  expectAllFail(joinAll(id, {infoOf(0, 3), infoOf(1, 3), infoOf(1, 3)}), "rank 1 was given twice");
}

TEST(Bootstrap, AnotherLibraryVersion) {
  const UniqueId id = openRendezvous(kLoopback);
  RankInfo other = infoOf(1, 2);
  other.libraryVersion = 2;
  expectAllFail(joinAll(id, {infoOf(0, 2), other}), "use one version everywhere");
}

TEST(Bootstrap, WhoComesLateIsToldToo) {
  const UniqueId id = openRendezvous(kLoopback);
  expectAllFail(joinAll(id, {infoOf(0, 3), infoOf(0, 3)}), "rank 0 was given twice");
  expectAllFail(joinAll(id, {infoOf(1, 3)}), "rank 0 was given twice");
}

TEST(Bootstrap, AMissingRankIsNamed) {
  const UniqueId id = openRendezvous(kLoopback);
  const auto outcomes = joinAll(id, {infoOf(0, 4, 500), infoOf(2, 4, 500)});
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.error.rfind("Timeout: 2 of 4 ranks joined before the deadline; missing: 1, 3", 0), 0u)
        << outcome.error;
    EXPECT_GT(outcome.ms, 400.0);
    EXPECT_LT(outcome.ms, 3000.0);
  }
}

TEST(Bootstrap, AnIdOfAnotherRunIsRefused) {
  UniqueId id = openRendezvous(kLoopback);
  UniqueId stale = id;
  ++stale.tag;
  const Outcome refused = join(stale, infoOf(0, 1));
  EXPECT_EQ(refused.error.rfind("InvalidArgument: the rendezvous at 127.0.0.1:", 0), 0u) << refused.error;
  EXPECT_NE(refused.error.find("another unique id"), std::string::npos) << refused.error;
  EXPECT_EQ(join(id, infoOf(0, 1)).error, "") << "the right one is served all the same";
}

TEST(Bootstrap, AnotherSecretIsRefusedByTheRank) {
  UniqueId id = openRendezvous(kLoopback);
  UniqueId wrong = id;
  wrong.secret[5] ^= 1;
  EXPECT_NE(join(wrong, infoOf(0, 1)).error.find("does not have the secret"), std::string::npos);
  EXPECT_EQ(join(id, infoOf(0, 1)).error, "");
}

TEST(Bootstrap, NobodyThere) {
  const UniqueId id = openRendezvous(kLoopback);
  ASSERT_EQ(join(id, infoOf(0, 1)).error, "");
  const Outcome late = join(id, infoOf(0, 1));
  EXPECT_EQ(late.error.rfind("SystemError: ", 0), 0u) << late.error;
  UniqueId empty = id;
  for (auto& endpoint : empty.endpoints) endpoint = {};
  EXPECT_EQ(join(empty, infoOf(0, 1)).error.rfind("InvalidArgument: unique id: it has no endpoint", 0), 0u);
}

TEST(Interface, UnknownNamesTheCandidates) {
  try {
    addressesOf("nowhere0");
    FAIL() << "found nowhere0";
  } catch (const Error& error) {
    EXPECT_EQ(error.result(), Result::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find("lo (127.0.0.1)"), std::string::npos) << error.what();
  }
  EXPECT_THROW(addressesOf("0.0.0.0"), Error);
}

TEST(Interface, ByNameAndByAddress) {
  EXPECT_EQ(addressesOf("127.0.0.1").at(0).interface, "lo");
  EXPECT_EQ(addressesOf("lo").at(0).storage.ss_family, AF_INET);
  UniqueId::Endpoint six;
  six.family = AF_INET6;
  six.port = 80;
  six.address[15] = 1;
  EXPECT_EQ(toText(six), "[::1]:80");
}

}  // namespace

}  // namespace ulysses::test
