// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a rank is told by whoever answers at the rendezvous. Bits of byte 0 of the input say which of its messages carry
// the right proof, as those of a root that has the secret and lies would: 1 Challenge, 2 Welcome and table, 4 Verdict,
// 8 Contacts. 16: ranks tell their contacts, so that Contacts and their bytes come before the Verdict.
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "comm/bootstrap/line.h"
#include "comm/bootstrap/rendezvous.h"

using namespace ulysses;

namespace {

constexpr int kRanks = 2;

void require(bool holds) {
  if (!holds) std::abort();
}

class Root {
 public:
  Root(int socket, Bytes input) : socket_(socket), input_(input) {}

  /// The next bytes of the input as a message, zeros behind its end. The fields that lead on are made right for inputs
  /// of which the first byte says that it is from a root that lies only further on.
  template <typename T>
  T next() {
    T message;
    std::memcpy(&message, input_.data(), std::min(input_.size(), sizeof message));
    input_ = input_.subspan(std::min(input_.size(), sizeof message));
    return message;
  }
  void say(Bytes bytes) { (void)send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT); }
  Bytes rest() const { return input_; }
  void skip(size_t bytes) { input_ = input_.subspan(std::min(bytes, input_.size())); }

 private:
  int socket_;
  Bytes input_;
};

void talk(Root& root, unsigned honest, Session session) {
  Challenge challenge = root.next<Challenge>();
  session.root = challenge.nonce;
  if (honest & 1) challenge.proof = session.rootProof();
  root.say(bytesOf(challenge));
  Welcome welcome = root.next<Welcome>();
  const Bytes table = root.rest().first(std::min(root.rest().size(), kRanks * sizeof(RankInfo)));
  if (honest & 2) welcome.proof = session.welcomeProof(welcome, welcome.result == 0 ? table : Bytes{});
  root.say(bytesOf(welcome));
  root.say(table);
  root.skip(table.size());
  if (honest & 16) {
    Contacts head = root.next<Contacts>();
    const Bytes all = root.rest().first(std::min<size_t>(root.rest().size(), head.bytes));
    if (honest & 8) head.proof = session.contactsProof(head, all);
    root.say(bytesOf(head));
    root.say(all);
    root.skip(all.size());
  }
  Verdict verdict = root.next<Verdict>();
  if (honest & 4) verdict.proof = session.verdictProof(verdict);
  root.say(bytesOf(verdict));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  const UniqueFd far(ends[0]);
  UniqueFd near(ends[1]);
  UniqueId id;
  id.tag = 7;
  id.secret.fill(3);
  const Nonce nonce{9};
  Root root(far.get(), std::as_bytes(std::span(data, size)).subspan(1));
  talk(root, data[0], {id.secret, id.tag, nonce, {}});
  shutdown(far.get(), SHUT_WR);
  RankInfo own;
  own.nRanks = kRanks;
  try {
    const Membership membership =
        joinOver(std::make_unique<Line>(std::move(near), "there", Deadline::inMs(1000)), id, own, nonce);
    require((data[0] & 3) == 3);
    require(membership.ranks.size() == kRanks);
    for (const RankInfo& info : membership.ranks) {
      require(strnlen(info.host, sizeof info.host) < sizeof info.host);
      require(strnlen(info.meshName, sizeof info.meshName) < sizeof info.meshName);
    }
    if (data[0] & 16) {
      const auto contacts = membership.exchangeContacts(std::as_bytes(std::span("contact")));
      require((data[0] & 8) != 0 && contacts.size() == kRanks);
      for (const auto& contact : contacts) require(!contact.empty() && contact.size() <= size);
    }
    membership.confirm();
    require((data[0] & 4) != 0);
  } catch (const Error& error) {
    // Nothing waits for what cannot come; a root with the secret may say that something did.
    require(error.result() != Result::Timeout || (data[0] & 6) != 0);
  }
  return 0;
}
