// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Strangers at the rendezvous: the ranks must not notice them.
#include <gtest/gtest.h>

#include <random>

#include "comm/bootstrap/wire.h"
#include "fault/rendezvous_ranks.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;

void sendBytes(const UniqueFd& socket, const void* data, std::size_t bytes) {
  (void)send(socket.get(), data, bytes, MSG_NOSIGNAL);
}

/// The ranks join while the strangers that `disturb` made are still there.
void expectUndisturbed(const std::function<void(const UniqueId&, std::vector<UniqueFd>*)>& disturb) {
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<UniqueFd> held;
  disturb(id, &held);
  std::vector<RankInfo> infos;
  for (int rank = 0; rank < kRanks; ++rank) infos.push_back(infoOf(rank, kRanks));
  for (const Outcome& outcome : joinAll(id, infos)) {
    EXPECT_EQ(outcome.error, "");
    EXPECT_LT(outcome.ms, 5000.0);
  }
}

TEST(Hostile, PortScans) {
  expectUndisturbed([](const UniqueId& id, std::vector<UniqueFd>*) {
    for (int i = 0; i < 1000; ++i) knock(id);
  });
}

TEST(Hostile, Garbage) {
  expectUndisturbed([](const UniqueId& id, std::vector<UniqueFd>*) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 1000; ++i) {
      std::uint64_t noise[128];
      for (std::uint64_t& word : noise) word = random();
      if (i % 2) noise[0] = Hello::kMagic;
      sendBytes(knock(id), noise, static_cast<std::size_t>(i) % sizeof noise);
    }
  });
}

/// Connections that stay and say nothing, or the first half of a hello.
TEST(Hostile, SlowLoris) {
  expectUndisturbed([](const UniqueId& id, std::vector<UniqueFd>* held) {
    for (int i = 0; i < 300; ++i) {
      held->push_back(knock(id));
      if (i % 2) sendBytes(held->back(), &Hello::kMagic, 5);
    }
  });
}

/// The whole handshake, but for the secret.
TEST(Hostile, NoSecret) {
  expectUndisturbed([](const UniqueId& id, std::vector<UniqueFd>* held) {
    for (int i = 0; i < 50; ++i) {
      held->push_back(knock(id));
      Hello hello;
      hello.tag = id.tag;
      sendBytes(held->back(), &hello, sizeof hello);
      Introduction introduction;
      introduction.infoBytes = sizeof(RankInfo);
      sendBytes(held->back(), &introduction, sizeof introduction);
      const RankInfo info = infoOf(0, kRanks);
      sendBytes(held->back(), &info, sizeof info);
    }
  });
}

/// Another version's rank has the secret: all are told, by the layout that never changes.
TEST(Hostile, AnotherVersionIsReportedToAll) {
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<Outcome> outcomes;
  std::thread ranks([&] { outcomes = joinAll(id, {infoOf(0, 3), infoOf(1, 3)}); });
  const UniqueFd other = knock(id);
  Session session{id.secret, id.tag, {}, {}};
  Hello hello;
  hello.version = 77;
  hello.tag = id.tag;
  sendBytes(other, &hello, sizeof hello);
  Challenge challenge;
  ASSERT_EQ(recv(other.get(), &challenge, sizeof challenge, MSG_WAITALL), static_cast<ssize_t>(sizeof challenge));
  session.root = challenge.nonce;
  EXPECT_TRUE(sameProof(challenge.proof, session.rootProof()));
  const std::byte info[200] = {};
  Introduction introduction;
  introduction.version = 77;
  introduction.infoBytes = sizeof info;
  introduction.proof = session.rankProof(info);
  usleep(200'000);  // the others are there
  sendBytes(other, &introduction, sizeof introduction);
  sendBytes(other, info, sizeof info);
  ranks.join();
  for (const Outcome& outcome : outcomes)
    EXPECT_NE(outcome.error.find("bootstrap version 77"), std::string::npos) << outcome.error;
}

}  // namespace

}  // namespace ulysses::test
