// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows B10, F6 and F7 for ranks of several hosts: the part of joining in which they tell each other where their network
// path is reached. Whoever fails there, or says what cannot be, ends all ranks with one cause that names it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "comm/bootstrap/line.h"
#include "fault/rendezvous_ranks.h"

namespace ulysses::test {

namespace {

using Blob = std::vector<std::byte>;

constexpr int kRanks = 4, kOdd = 2;  // the rank that does something odd
const char* const kLeft = "RemoteLost: rank 2 (host here, pid 1002) left while the communicator was being made";

RankInfo spread(int rank, int nRanks = kRanks, std::int64_t timeoutMs = 5000) {
  RankInfo info = infoOf(rank, nRanks, timeoutMs);
  info.hostIdHash = static_cast<std::uint64_t>(rank + 1);  // each on a host of its own
  return info;
}

Blob contactOf(int rank, std::size_t bytes = 100) {
  Blob contact(bytes);
  for (std::size_t i = 0; i < bytes; ++i) contact[i] = static_cast<std::byte>(rank * 31 + static_cast<int>(i % 251));
  return contact;
}

/// A rank whose messages the test writes. Joined, and welcomed with the others.
class BareRank {
 public:
  BareRank(const UniqueId& id, const RankInfo& info) : line_(id, Deadline::inMs(5000), {}) {
    line_.session = {id.secret, id.tag, Nonce{3}, {}};
    Hello hello;
    hello.tag = id.tag;
    hello.nonce = Nonce{3};
    line_.send(hello);
    line_.session.root = line_.receive<Challenge>().nonce;
    Introduction introduction;
    introduction.infoBytes = sizeof info;
    introduction.proof = line_.session.rankProof(bytesOf(info));
    line_.send(introduction);
    line_.send(info);
    const Welcome welcome = line_.receive<Welcome>();
    std::vector<RankInfo> table(static_cast<std::size_t>(welcome.nRanks));
    line_.transfer(table.data(), table.size() * sizeof(RankInfo), false);
  }

  Contact contact(std::uint32_t bytes = 100) const {
    Contact contact;
    contact.bytes = bytes;
    contact.proof = line_.session.contactProof(contact);
    return contact;
  }
  Report ready() const {
    Report report;
    report.proof = line_.session.reportProof(report);
    return report;
  }
  template <typename T>
  void say(const T& message, std::size_t bytes = sizeof(T)) {
    T copy = message;
    line_.transfer(&copy, bytes, true);
  }
  /// What the rendezvous says in the end, as the other ranks hear it.
  std::string verdict() {
    const Verdict verdict = line_.receive<Verdict>();
    return std::string(nameOf(static_cast<Result>(verdict.result))) + ": " + std::string(textFrom(verdict.text));
  }
  /// Until the rendezvous hangs up.
  void awaitEnd() {
    std::byte ignored;
    try {
      for (;;) line_.transfer(&ignored, 1, false);
    } catch (const Error&) {
    }
  }
  Line& line() { return line_; }

 private:
  Line line_;
};

using Odd = std::function<void(const UniqueId&)>;

/// Ranks that join, tell their contacts and confirm, but for kOdd, which does `odd`. What each came to.
std::vector<Outcome> exchangeBut(const Odd& odd, const std::function<RankInfo(int)>& infoOfRank) {
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<Outcome> outcomes(kRanks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank)
    threads.emplace_back([&, rank] {
      Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
      const std::int64_t start = nowNs();
      try {
        if (rank == kOdd) {
          odd(id);
        } else {
          const Membership membership = joinRendezvous(id, infoOfRank(rank), Deadline::inMs(6000));
          if (needsContacts(membership.ranks)) (void)membership.exchangeContacts(contactOf(rank));
          membership.confirm();
        }
      } catch (const Error& error) {
        outcome.error = std::string(nameOf(error.result())) + ": " + error.what();
      }
      outcome.ms = static_cast<double>(nowNs() - start) * 1e-6;
    });
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

void expectAllTold(const std::vector<Outcome>& outcomes, const std::string& text) {
  double worst = 0;
  for (int rank = 0; rank < kRanks; ++rank) {
    if (rank == kOdd) continue;
    const Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
    EXPECT_EQ(outcome.error.rfind(text, 0), 0u) << "rank " << rank << " got: " << outcome.error;
    worst = std::max(worst, outcome.ms);
  }
  EXPECT_LT(worst, 2000.0) << "not at the deadline";
  testing::Test::RecordProperty("all_told_ms", std::to_string(worst));
}

void expectEnds(const Odd& odd, const std::string& text) {
  expectAllTold(exchangeBut(odd, [](int rank) { return spread(rank); }), text);
}

/// The same with a bare rank, which then stays until all were told.
void expectBareEnds(const std::function<void(BareRank&)>& odd, const std::string& text) {
  expectEnds(
      [&odd](const UniqueId& id) {
        BareRank rank(id, spread(kOdd));
        odd(rank);
        rank.awaitEnd();
      },
      text);
}

TEST(NetContacts, EveryRankGetsAll) {
  constexpr int kMany = 9;
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<std::thread> threads;
  const auto sizeOf = [](int rank) {
    return rank == 0 ? std::size_t{1} : kMostContactBytes - 7 * (kMany - 1 - static_cast<std::size_t>(rank));
  };
  for (int rank = 0; rank < kMany; ++rank)
    threads.emplace_back([&, rank] {
      const Membership membership = joinRendezvous(id, spread(rank, kMany), Deadline::inMs(6000));
      ASSERT_TRUE(needsContacts(membership.ranks));
      const auto contacts = membership.exchangeContacts(contactOf(rank, sizeOf(rank)));
      ASSERT_EQ(contacts.size(), std::size_t{kMany});
      for (int peer = 0; peer < kMany; ++peer)
        EXPECT_EQ(contacts[static_cast<std::size_t>(peer)], contactOf(peer, sizeOf(peer))) << rank << " of " << peer;
      membership.confirm();
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(NetContacts, OneThatIsTooLargeToTellEndsAll) {
  expectEnds(
      [](const UniqueId& id) {
        const Membership membership = joinRendezvous(id, spread(kOdd), Deadline::inMs(6000));
        try {
          (void)membership.exchangeContacts(Blob(kMostContactBytes + 1));
          ADD_FAILURE() << "was taken";
        } catch (const Error& error) {
          EXPECT_NE(std::string_view(error.what()).find("UCX_NET_DEVICES"), std::string_view::npos) << error.what();
          EXPECT_THROW(membership.giveUp(error), Error);
        }
      },
      "NotSupported: rank 2 (host here, pid 1002): the address of this rank's network path has 4097 bytes");
}

TEST(NetContacts, ARankThatEndsBeforeIts) {
  expectEnds([](const UniqueId& id) { (void)joinRendezvous(id, spread(kOdd), Deadline::inMs(6000)); }, kLeft);
}

TEST(NetContacts, ARankThatEndsAmidIts) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{8}, std::size_t{100}, sizeof(Contact) - 1})
    expectEnds(
        [bytes](const UniqueId& id) {
          BareRank rank(id, spread(kOdd));
          rank.say(rank.contact(), bytes);
        },
        kLeft);
}

TEST(NetContacts, ARankThatEndsAfterIts) {
  expectEnds(
      [](const UniqueId& id) {
        BareRank rank(id, spread(kOdd));
        rank.say(rank.contact());
      },
      kLeft);
}

TEST(NetContacts, ARankThatEndsWhenItHasAll) {
  expectEnds(
      [](const UniqueId& id) {
        const Membership membership = joinRendezvous(id, spread(kOdd), Deadline::inMs(6000));
        (void)membership.exchangeContacts(contactOf(kOdd));
      },
      kLeft);
}

TEST(NetContacts, ARankThatFailsBeforeItsAndOneThatFailsAfter) {
  for (const bool told : {false, true})
    expectEnds(
        [told](const UniqueId& id) {
          const Membership membership = joinRendezvous(id, spread(kOdd), Deadline::inMs(6000));
          if (told) (void)membership.exchangeContacts(contactOf(kOdd));
          EXPECT_THROW(membership.giveUp(Error(Result::SystemError, "UCX: making a worker failed")), Error);
        },
        "SystemError: rank 2 (host here, pid 1002): UCX: making a worker failed");
}

/// It is not connected to ranks of which it does not know where they are.
TEST(NetContacts, AReportInsteadOfIt) {
  expectBareEnds([](BareRank& rank) { rank.say(rank.ready()); }, kLeft);
}

TEST(NetContacts, AWrongProof) {
  expectBareEnds(
      [](BareRank& rank) {
        Contact contact = rank.contact();
        contact.data[99] ^= std::byte{1};
        rank.say(contact);
      },
      kLeft);
}

TEST(NetContacts, AWrongSize) {
  for (const std::uint32_t bytes : {0u, kMostContactBytes + 1, 0xffffffffu})
    expectBareEnds([bytes](BareRank& rank) { rank.say(rank.contact(bytes)); }, kLeft);
}

TEST(NetContacts, ASecondOne) {
  expectBareEnds(
      [](BareRank& rank) {
        rank.say(rank.contact());
        rank.say(rank.contact());
      },
      kLeft);
}

TEST(NetContacts, SomethingElse) {
  expectBareEnds([](BareRank& rank) { rank.say(Verdict{}); }, kLeft);
}

/// Ranks of one host have no network path.
TEST(NetContacts, OneThatNobodyAskedFor) {
  expectAllTold(exchangeBut(
                    [](const UniqueId& id) {
                      BareRank rank(id, infoOf(kOdd, kRanks, 5000));
                      rank.say(rank.contact());
                      rank.awaitEnd();
                    },
                    [](int rank) { return infoOf(rank, kRanks, 5000); }),
                kLeft);
}

TEST(NetContacts, ByteByByte) {
  const auto outcomes = exchangeBut(
      [](const UniqueId& id) {
        BareRank rank(id, spread(kOdd));
        const Contact contact = rank.contact();
        for (const std::byte& byte : bytesOf(contact)) rank.say(byte);
        const auto head = rank.line().receive<Contacts>();
        Blob all(head.bytes);
        rank.line().transfer(all.data(), all.size(), false);
        EXPECT_TRUE(sameProof(head.proof, rank.line().session.contactsProof(head, all)));
        rank.say(rank.ready());
        EXPECT_EQ(rank.verdict().rfind("Success: ", 0), 0u);
      },
      [](int rank) { return spread(rank); });
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.error, "");
}

// --- what a rendezvous says that lies

/// What a rank of two makes of what is said to it as contacts; the proof of `head` is made right unless `spoilt`.
std::string heard(Contacts head, const Blob& all, bool spoilt = false, std::size_t left = SIZE_MAX) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return "no socket pair";
  const UniqueFd far(ends[0]);
  const auto say = [&](Bytes bytes) { (void)send(far.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); };
  UniqueId id;
  id.secret.fill(3);
  const Nonce nonce{9};
  Session session{id.secret, id.tag, nonce, {}};
  Challenge challenge;
  challenge.proof = session.rootProof();
  say(bytesOf(challenge));
  const RankInfo table[2] = {spread(0, 2), spread(1, 2)};
  Welcome welcome;
  welcome.nRanks = 2;
  welcome.infoBytes = sizeof(RankInfo);
  welcome.proof = session.welcomeProof(welcome, std::as_bytes(std::span(table)));
  say(bytesOf(welcome));
  say(std::as_bytes(std::span(table)));
  if (!spoilt) head.proof = session.contactsProof(head, all);
  say(bytesOf(head));
  say(Bytes(all).first(std::min(left, all.size())));
  shutdown(far.get(), SHUT_WR);
  try {
    const Membership membership =
        joinOver(std::make_unique<Line>(UniqueFd(ends[1]), "there", Deadline::inMs(1000)), id, table[0], nonce);
    return std::to_string(membership.exchangeContacts(contactOf(0)).size()) + " contacts";
  } catch (const Error& error) {
    return std::string(nameOf(error.result())) + ": " + error.what();
  }
}

Blob packed(const std::vector<Blob>& contacts) {
  Blob all;
  for (const Blob& contact : contacts) {
    const auto bytes = static_cast<std::uint32_t>(contact.size());
    all.insert(all.end(), bytesOf(bytes).begin(), bytesOf(bytes).end());
    all.insert(all.end(), contact.begin(), contact.end());
  }
  return all;
}

std::string heard(const Blob& all) {
  Contacts head;
  head.bytes = static_cast<std::uint32_t>(all.size());
  return heard(head, all);
}

TEST(NetContacts, LiesOfTheRendezvousAreRefused) {
  const Blob one = contactOf(0), other = contactOf(1);
  EXPECT_EQ(heard(packed({one, other})), "2 contacts");
  const std::string cutOff = "SystemError: the rendezvous at there sent contacts that are cut off";
  EXPECT_EQ(heard({}), cutOff);
  EXPECT_EQ(heard(packed({one})), cutOff) << "one of two";
  EXPECT_EQ(heard(packed({one, {}})), cutOff) << "an empty one";
  Blob all = packed({one, other});
  for (const std::size_t bytes : {all.size() - 1, one.size() + 4, one.size() + 7, std::size_t{3}})
    EXPECT_EQ(heard(Blob(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(bytes))), cutOff) << bytes;
  all.insert(all.begin() + 3, std::byte{0xff});
  EXPECT_EQ(heard(all), cutOff) << "a size of 4 GiB";
  EXPECT_EQ(heard(packed({one, other, one})), "SystemError: the rendezvous at there sent more contacts than ranks");
}

TEST(NetContacts, WhatIsNoAnswerIsRefused) {
  const Blob all = packed({contactOf(0), contactOf(1)});
  Contacts head;
  head.bytes = static_cast<std::uint32_t>(all.size());
  EXPECT_EQ(heard(head, all, true), "SystemError: the answer of the rendezvous at there was changed on its way");
  EXPECT_EQ(heard(head, all, false, all.size() - 1).rfind("SystemError: the rendezvous at there closed", 0), 0u);
  head.bytes = 2 * (4 + kMostContactBytes) + 1;
  EXPECT_EQ(heard(head, all), "SystemError: the rendezvous at there sent 8201 bytes of contacts");
  head.bytes = UINT32_MAX;
  EXPECT_EQ(heard(head, all), "SystemError: the rendezvous at there sent 4294967295 bytes of contacts");
  head.magic = Report::kMagic;
  EXPECT_EQ(heard(head, all), "SystemError: the rendezvous at there sent no contacts");
}

}  // namespace

}  // namespace ulysses::test
