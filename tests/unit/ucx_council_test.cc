// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The councils of ranks on several hosts, with messages that arrive in any order between pairs, and not at all from or
// to a rank that is dead.
#include "path/ucx/ucx_council.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>

namespace ulysses::test {

namespace {

using State = Ballot::State;

constexpr int kRanks = 5;
constexpr std::uint64_t kStamp = 7;

class Hosts {
 public:
  explicit Hosts(unsigned seed = 1) : random_(seed) {
    for (int rank = 0; rank < kRanks; ++rank) {
      ends_.push_back(std::make_unique<End>());
      End& end = *ends_.back();
      for (int peer = 0; peer < kRanks; ++peer) {
        end.peers.push_back(std::make_unique<UcxPeer>());
        end.peers.back()->rank = peer;
        if (peer != rank) end.peers.back()->address.resize(1);
      }
      end.council = std::make_unique<UcxCouncil>(
          rank, end.peers,
          [this, rank](const UcxPeer& to, UcxMessage id, std::span<const std::byte> message) {
            queues_[rank][to.rank].push_back({id, {message.begin(), message.end()}});
          },
          std::make_shared<std::atomic<std::uint64_t>>(0));
    }
  }

  UcxCouncil& operator[](int rank) { return *ends_[static_cast<std::size_t>(rank)]->council; }
  std::string nonsenseOf(int from, int asSeenBy) const {
    const char* text = ends_[static_cast<std::size_t>(asSeenBy)]->peers[static_cast<std::size_t>(from)]->nonsense;
    return text ? text : "";
  }

  /// What it sent already may arrive, or not; the others find out at some time.
  void kill(int rank) {
    isDead_[rank] = true;
    for (auto& queue : queues_[rank]) queue.resize(random_() % (queue.size() + 1));
  }
  /// One message of some pair arrives. Whether there was one.
  bool step() {
    std::vector<std::pair<int, int>> pairs;
    for (int from = 0; from < kRanks; ++from)
      for (int to = 0; to < kRanks; ++to)
        if (!queues_[from][to].empty()) pairs.push_back({from, to});
    if (pairs.empty()) return false;
    const auto [from, to] = pairs[random_() % pairs.size()];
    const Message message = std::move(queues_[from][to].front());
    queues_[from][to].pop_front();
    if (!isDead_[to]) deliver((*this)[to], message);
    return true;
  }
  void settle() {
    while (step()) continue;
    for (int rank = 0; rank < kRanks; ++rank)
      for (auto& end : ends_)
        if (isDead_[rank]) end->peers[static_cast<std::size_t>(rank)]->fail(UCS_ERR_CONNECTION_RESET);
  }
  template <typename T>
  void forge(int to, const T& message) {
    (*this)[to].hear(message);
  }

 private:
  struct Message {
    UcxMessage id;
    std::vector<std::byte> bytes;
  };
  struct End {
    std::vector<std::unique_ptr<UcxPeer>> peers;
    std::unique_ptr<UcxCouncil> council;
  };

  template <typename T>
  static void hear(UcxCouncil& council, const Message& message) {
    T said;
    ASSERT_EQ(message.bytes.size(), sizeof said);
    std::memcpy(&said, message.bytes.data(), sizeof said);
    council.hear(said);
  }
  static void deliver(UcxCouncil& to, const Message& message) {
    if (message.id == UcxMessage::Proposal) hear<UcxProposal>(to, message);
    if (message.id == UcxMessage::Decision) hear<UcxDecision>(to, message);
    if (message.id == UcxMessage::Offer) hear<UcxOffer>(to, message);
    if (message.id == UcxMessage::Vote) hear<UcxVote>(to, message);
    if (message.id == UcxMessage::Outcome) hear<UcxOutcome>(to, message);
  }

  std::mt19937 random_;
  std::vector<std::unique_ptr<End>> ends_;
  std::deque<Message> queues_[kRanks][kRanks];
  bool isDead_[kRanks] = {};
};

TEST(UcxCouncil, WhatIsToldIsKnown) {
  Hosts hosts;
  for (int rank = 0; rank < kRanks; ++rank) hosts[rank].propose({3, rank % 2, 10 - rank, 99});
  std::vector<Assignment> places(kRanks);
  for (int rank = 0; rank < kRanks; ++rank) places[static_cast<std::size_t>(rank)] = {0, rank, kRanks, 1, 0, {}};
  hosts[0].decide(places, kStamp);
  IdBytes id{};
  id[5] = 42;
  hosts[1].offer(id, kStamp);
  EXPECT_FALSE(hosts[2].proposal(0, 3).has_value());
  hosts.settle();
  for (int rank = 0; rank < kRanks; ++rank) {
    for (int peer = 0; peer < kRanks; ++peer) {
      const auto proposal = hosts[rank].proposal(peer, 3);
      ASSERT_TRUE(proposal.has_value());
      EXPECT_EQ(proposal->key, 10 - peer);
      EXPECT_FALSE(hosts[rank].proposal(peer, 4).has_value());
    }
    if (rank == 0) continue;
    const auto decision = hosts[rank].decision(0, kStamp - 1);
    ASSERT_TRUE(decision.has_value());
    EXPECT_EQ(decision->first.rank, rank);
    EXPECT_EQ(decision->second, kStamp);
    EXPECT_FALSE(hosts[rank].decision(0, kStamp + 1).has_value());
    if (rank == 1) continue;
    EXPECT_EQ(hosts[rank].offered(1, kStamp), id);
    EXPECT_FALSE(hosts[rank].offered(1, kStamp + 1).has_value());
  }
}

/// Members confirm, or give up, or die, in any order: the living come to one outcome, unless the head is dead.
TEST(UcxCouncil, AllComeToOneOutcome) {
  int committed = 0, aborted = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    Hosts hosts(seed);
    std::mt19937 random(seed + 10'000);
    const int head = static_cast<int>(random() % kRanks), dead = static_cast<int>(random() % (2 * kRanks));
    const int quitter = static_cast<int>(random() % (3 * kRanks));
    for (int rank = 0; rank < kRanks; ++rank) {
      if (rank == dead) {
        hosts.kill(rank);
        continue;
      }
      hosts[rank].confirm(head, kStamp, kRanks);
      for (unsigned i = random() % 4; i > 0; --i) hosts.step();
      if (rank == quitter) hosts[rank].giveUp(head, kStamp);
    }
    hosts.settle();
    // Those that see a member dead give up, as Regroup does.
    for (int rank = 0; rank < kRanks && dead < kRanks; ++rank)
      if (rank != dead) hosts[rank].giveUp(head, kStamp);
    hosts.settle();
    int states[3] = {};
    for (int rank = 0; rank < kRanks; ++rank)
      if (rank != dead) ++states[static_cast<int>(hosts[rank].ballot(head, kStamp))];
    EXPECT_EQ(states[static_cast<int>(State::Open)], 0) << "seed " << seed;
    const bool one = states[static_cast<int>(State::Committed)] == 0 || states[static_cast<int>(State::Aborted)] == 0;
    EXPECT_TRUE(one) << "seed " << seed;
    ++(states[static_cast<int>(State::Committed)] ? committed : aborted);
  }
  EXPECT_GT(committed, 100);
  EXPECT_GT(aborted, 100);
}

TEST(UcxCouncil, AHeadThatGivesUpTellsThoseWhoHaveNotVoted) {
  Hosts hosts;
  hosts[2].giveUp(2, kStamp);
  EXPECT_EQ(hosts[0].ballot(2, kStamp), State::Open);
  hosts.settle();
  for (int rank = 0; rank < kRanks; ++rank) EXPECT_EQ(hosts[rank].ballot(2, kStamp), State::Aborted);
  hosts[2].giveUp(2, kStamp + 1);  // the next decision
  hosts.settle();
  EXPECT_EQ(hosts[0].ballot(2, kStamp + 1), State::Aborted);
  EXPECT_EQ(hosts[0].ballot(2, kStamp), State::Aborted);
}

TEST(UcxCouncil, WhatCannotBeIsRefused) {
  Hosts hosts;
  UcxDecision decision{.from = 1, .reserved = 0, .stamp = kStamp, .assignment = {}};
  decision.assignment.rank = 0;
  decision.assignment.nRanks = 2;
  decision.assignment.head = kRanks;
  hosts.forge(0, decision);
  EXPECT_EQ(hosts.nonsenseOf(1, 0), "gives this rank a place that cannot be");
  EXPECT_FALSE(hosts[0].decision(1, kStamp).has_value());
  hosts.forge(0, UcxVote{.from = 2, .members = kRanks + 1, .stamp = kStamp});
  EXPECT_EQ(hosts.nonsenseOf(2, 0), "counts members of a group that cannot be");
  hosts.forge(0, UcxOutcome{.from = 3, .state = 0, .stamp = kStamp});
  EXPECT_EQ(hosts.nonsenseOf(3, 0), "tells an outcome that cannot be");
  for (int i = 0; i < kRanks; ++i) hosts.forge(0, UcxVote{.from = 4, .members = kRanks, .stamp = kStamp});
  EXPECT_EQ(hosts[0].ballot(0, kStamp), State::Open) << "one rank's yes counts once";
}

}  // namespace

}  // namespace ulysses::test
