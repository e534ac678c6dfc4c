// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "comm/bootstrap/rendezvous.h"
#include "comm/bootstrap/wire.h"

namespace ulysses {

/// One connection at the rendezvous, as bytes: what it must say next, and whether it may join. A stranger is told
/// nothing, and can make this neither allocate nor hold more than the messages' fixed sizes. No I/O: the fuzzer drives
/// it.
class Guest {
 public:
  enum class Event {
    More,           // nothing to do yet
    SendChallenge,  // send challenge(); with otherId then hang up
    Joined,         // proved that it has the secret; its info() counts when version() is ours
    Stranger        // hang up
  };

  /// `nonce`: random, of this connection alone.
  Guest(const UniqueId& id, const Nonce& nonce);

  /// Where the next bytes from the connection go; empty once it has joined.
  std::span<std::byte> room();
  /// That many bytes were put there.
  Event received(size_t bytes);

  const Challenge& challenge() const { return challenge_; }
  /// It knows this id, and has not proved yet that it has its secret.
  bool isChallenged() const { return state_ == State::Introduction || state_ == State::Info; }
  uint32_t version() const { return introduction_.version; }
  const RankInfo& info() const { return info_; }
  const Session& session() const { return session_; }
  Proof welcomeProof(const Welcome& welcome, Bytes records) const { return session_.welcomeProof(welcome, records); }

 private:
  enum class State { Hello, Introduction, Info, Joined };
  Event takeHello();
  Event takeIntroduction();
  Event takeInfo();

  Session session_;
  State state_ = State::Hello;
  size_t filled_ = 0;  // of the message that comes
  Hello hello_;
  Challenge challenge_;
  Introduction introduction_;
  std::array<std::byte, kMostInfoBytes> infoBytes_{};
  RankInfo info_;
};

}  // namespace ulysses
