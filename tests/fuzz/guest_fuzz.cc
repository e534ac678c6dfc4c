// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a connection says to the rendezvous. Byte 0 of the input: 1 computes the right proof over what was said, as a
// rank of the job that lies would. Byte 1: in pieces of how many bytes it comes.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "comm/bootstrap/guest.h"

using namespace ulysses;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Talk {
  explicit Talk(const UniqueId& of) : id(of), guest(of, Nonce{5}) {}

  /// Whether the guest still listens.
  bool say(Bytes bytes, std::size_t step) {
    while (!bytes.empty()) {
      const std::span<std::byte> room = guest.room();
      if (room.empty()) return false;
      const std::size_t count = std::min({step, bytes.size(), room.size()});
      std::memcpy(room.data(), bytes.data(), count);
      event = guest.received(count);
      bytes = bytes.subspan(count);
      if (event == Guest::Event::Stranger) return false;
    }
    return true;
  }

  UniqueId id;
  Guest guest;
  Guest::Event event = Guest::Event::More;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  UniqueId id;
  id.tag = 7;
  id.secret.fill(3);
  const bool honest = data[0] == 1;
  const std::size_t step = data[1] + std::size_t{1};
  Bytes said = std::as_bytes(std::span(data, size)).subspan(2);
  Talk talk(id);
  const Bytes hello = said.first(std::min(said.size(), sizeof(Hello)));
  if (!talk.say(hello, step)) return 0;
  said = said.subspan(hello.size());
  Introduction introduction;
  if (honest && talk.event == Guest::Event::SendChallenge && said.size() > sizeof introduction) {
    std::memcpy(&introduction, said.data(), sizeof introduction);
    said = said.subspan(sizeof introduction);
    Hello parsed;
    std::memcpy(&parsed, hello.data(), sizeof parsed);
    const Session session{id.secret, id.tag, parsed.nonce, talk.guest.challenge().nonce};
    const Bytes info = said.first(std::min<std::size_t>(said.size(), introduction.infoBytes));
    introduction.proof = session.rankProof(info);
    if (!talk.say(bytesOf(introduction), step)) return 0;
  }
  talk.say(said, step);
  if (talk.event != Guest::Event::Joined) return 0;
  require(honest);
  const RankInfo& info = talk.guest.info();
  require(strnlen(info.host, sizeof info.host) < sizeof info.host);
  require(strnlen(info.meshName, sizeof info.meshName) < sizeof info.meshName);
  return 0;
}
