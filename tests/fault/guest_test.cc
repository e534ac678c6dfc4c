// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The serving end of the handshake as a value: every bit of it counts.
#include "comm/bootstrap/guest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fault/rendezvous_ranks.h"

namespace ulysses::test {

namespace {

UniqueId someId() {
  UniqueId id;
  id.tag = 42;
  fillRandom(id.secret.data(), id.secret.size());
  return id;
}

/// Gives the guest these bytes in pieces of at most `step`; the last event.
Guest::Event feed(Guest& guest, Bytes bytes, std::size_t step = 1000) {
  Guest::Event event = Guest::Event::More;
  while (!bytes.empty()) {
    const std::size_t count = std::min({step, bytes.size(), guest.room().size()});
    if (count == 0) return Guest::Event::Stranger;
    std::memcpy(guest.room().data(), bytes.data(), count);
    event = guest.received(count);
    bytes = bytes.subspan(count);
    if (event == Guest::Event::Stranger) break;
  }
  return event;
}

/// What a rank with this id would say.
struct Caller {
  explicit Caller(const UniqueId& of) : session{of.secret, of.tag, {}, {}} {
    hello.tag = of.tag;
    fillRandom(hello.nonce.data(), hello.nonce.size());
    session.rank = hello.nonce;
  }
  void answer(const Challenge& challenge) {
    session.root = challenge.nonce;
    introduction.infoBytes = sizeof info;
    introduction.proof = session.rankProof(bytesOf(info));
  }
  Session session;
  Hello hello;
  Introduction introduction;
  RankInfo info = infoOf(3, 8);
};

TEST(Guest, JoinsByteByByte) {
  const UniqueId id = someId();
  Guest guest(id, Nonce{9});
  Caller caller(id);
  EXPECT_EQ(feed(guest, bytesOf(caller.hello), 1), Guest::Event::SendChallenge);
  caller.answer(guest.challenge());
  EXPECT_EQ(guest.challenge().proof, caller.session.rootProof());
  EXPECT_EQ(feed(guest, bytesOf(caller.introduction), 1), Guest::Event::More);
  EXPECT_EQ(feed(guest, bytesOf(caller.info), 1), Guest::Event::Joined);
  EXPECT_EQ(guest.info().rank, 3);
  EXPECT_TRUE(guest.room().empty());
}

/// No flipped bit of what a rank sends after the challenge is taken for a rank.
TEST(Guest, EveryBitCounts) {
  const UniqueId id = someId();
  for (std::size_t bit = 0; bit < 8 * (sizeof(Introduction) + sizeof(RankInfo)); ++bit) {
    Guest guest(id, Nonce{9});
    Caller caller(id);
    feed(guest, bytesOf(caller.hello));
    caller.answer(guest.challenge());
    std::byte said[sizeof(Introduction) + sizeof(RankInfo)];
    std::memcpy(said, &caller.introduction, sizeof caller.introduction);
    std::memcpy(said + sizeof caller.introduction, &caller.info, sizeof caller.info);
    said[bit / 8] ^= std::byte{1} << (bit % 8);
    const Guest::Event event = feed(guest, said);
    // The version is not proved: it only says how to read what is.
    const bool isVersion = bit / 8 >= offsetof(Introduction, version) && bit / 8 < offsetof(Introduction, infoBytes);
    if (isVersion)
      EXPECT_NE(guest.version(), kBootstrapVersion);
    else
      ASSERT_NE(event, Guest::Event::Joined) << "bit " << bit;
  }
}

/// What one connection's rank said is worth nothing on another.
TEST(Guest, ReplayIsRefused) {
  const UniqueId id = someId();
  Guest first(id, Nonce{1}), second(id, Nonce{2});
  Caller caller(id);
  feed(first, bytesOf(caller.hello));
  caller.answer(first.challenge());
  feed(second, bytesOf(caller.hello));
  feed(second, bytesOf(caller.introduction));
  EXPECT_EQ(feed(second, bytesOf(caller.info)), Guest::Event::Stranger);
}

/// The rendezvous' own proof, sent back, is none of a rank.
TEST(Guest, ReflectionIsRefused) {
  const UniqueId id = someId();
  Guest guest(id, Nonce{1});
  Caller caller(id);
  feed(guest, bytesOf(caller.hello));
  caller.answer(guest.challenge());
  caller.introduction.proof = guest.challenge().proof;
  feed(guest, bytesOf(caller.introduction));
  EXPECT_EQ(feed(guest, bytesOf(caller.info)), Guest::Event::Stranger);
}

TEST(Guest, LengthsAreChecked) {
  const UniqueId id = someId();
  for (const std::uint32_t bytes : {0u, kMostInfoBytes + 1, 0x80000000u, 0xffffffffu}) {
    Guest guest(id, Nonce{1});
    Caller caller(id);
    feed(guest, bytesOf(caller.hello));
    caller.introduction.infoBytes = bytes;
    EXPECT_EQ(feed(guest, bytesOf(caller.introduction)), Guest::Event::Stranger) << bytes;
  }
}

}  // namespace

}  // namespace ulysses::test
