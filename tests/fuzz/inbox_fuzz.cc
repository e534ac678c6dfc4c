// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What peers say over UCX. The input is events, each: a byte of what happens (announce, credit, cause, depart; this
// rank finishes an operation, or sends a chunk; proposal, decision, offer, vote, outcome), a byte of how long, in units
// of 8, and the message. With 128 in the first byte an announcement is made as long as its head says, as a rank of the
// job that lies would. Whatever they say, what is kept of it can be used: counts are in range, records are there, ranks
// that are not on this path are untouched.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "path/ucx/inbox.h"
#include "path/ucx/ucx_council.h"

using namespace ulysses;

namespace {

constexpr int kRanks = 4, kSelf = 1, kNeighbour = 0;  // the neighbour is reached by another path
enum Event {
  kAnnounce,
  kCredit,
  kCause,
  kDepart,
  kFinish,
  kSend,
  kProposal,
  kDecision,
  kOffer,
  kVote,
  kOutcome,
  kEvents
};

void require(bool holds) {
  if (!holds) std::abort();
}

bool isCount(std::size_t count) { return count == 0 || count == kRanks; }

void requireUsable(const UcxPeer& peer, std::uint64_t finished) {
  require(peer.credited <= peer.sent);
  require(peer.last <= std::max(finished + kUcxRing, kUcxRing));
  for (std::size_t place = 0; place < kUcxRing; ++place) {
    const UcxPeer::Slot& slot = peer.ring[place];
    if (slot.sequence == 0) continue;
    require(slot.sequence <= peer.last && slot.sequence % kUcxRing == place && peer.find(slot.sequence) == &slot);
    require(slot.record && isCount(slot.record->tokens.size()) && isCount(slot.record->queryHeads.size()));
  }
  if (peer.last) require(peer.find(peer.last) != nullptr);
  if (!peer.isOurs()) require(peer.last == 0 && !peer.departed && !peer.nonsense && peer.credited == 0);
}

/// As many bytes as the head of an announcement says, up to some that no rank has.
void fit(std::vector<std::byte>& message) {
  constexpr std::size_t kMost = 1 << 16;
  UcxAnnounce head;
  if (message.size() < sizeof head) return;
  std::memcpy(&head, message.data(), sizeof head);
  const std::size_t record = head.hasRecord ? sizeof(CallRecord) + (std::size_t{head.tokens} + head.queryHeads) * 8 : 0;
  message.resize(std::min(sizeof head + std::size_t{head.nSeals} * 8 + record, kMost));
}

std::vector<std::unique_ptr<UcxPeer>> makePeers() {
  std::vector<std::unique_ptr<UcxPeer>> peers;
  for (int rank = 0; rank < kRanks; ++rank) {
    peers.push_back(std::make_unique<UcxPeer>());
    peers.back()->rank = rank;
    if (rank != kSelf && rank != kNeighbour) peers.back()->address.resize(1);
  }
  return peers;
}

class Desk {
 public:
  void happen(unsigned event, UcxInbox::Message message) {
    if (event == kAnnounce) inbox_.takeAnnounce(message, finished_);
    if (event == kCredit) inbox_.takeCredit(message);
    if (event == kCause) take(inbox_.takeCause(message));
    if (event == kDepart) {
      const UcxPeer* peer = inbox_.takeDepart(message);
      require(!peer || (peer->isOurs() && peer->departed));
    }
    if (event == kFinish) ++finished_;
    if (event == kSend) ++peers_.back()->sent;
    if (event == kProposal) tell<UcxProposal>(message);
    if (event == kDecision) tell<UcxDecision>(message);
    if (event == kOffer) tell<UcxOffer>(message);
    if (event == kVote) tell<UcxVote>(message);
    if (event == kOutcome) tell<UcxOutcome>(message);
    requirePlaces();
    for (const auto& peer : peers_) requireUsable(*peer, finished_);
  }

 private:
  static void take(const std::optional<Cause>& cause) {
    require(!cause || (cause->result > 0 && memchr(cause->text, 0, sizeof cause->text)));
  }

  template <typename T>
  void tell(UcxInbox::Message message) {
    if (const auto said = inbox_.takeWhole<T>(message)) council_.hear(*said);
  }
  /// Of whatever was decided: what Regroup uses as an index is one.
  void requirePlaces() const {
    for (int leader = 0; leader < kRanks; ++leader) {
      const auto decision = council_.decision(leader, 0);
      if (!decision || decision->first.rank < 0) continue;
      const Assignment& place = decision->first;
      require(place.head >= 0 && place.head < kRanks && place.rank < place.nRanks && place.nRanks <= kRanks);
      require(memchr(place.text, 0, sizeof place.text));
    }
  }

  std::vector<std::unique_ptr<UcxPeer>> peers_ = makePeers();
  UcxInbox inbox_{peers_};
  UcxCouncil council_{kSelf, peers_, [](const UcxPeer& to, UcxMessage, auto) { require(to.isOurs()); },
                      std::make_shared<std::atomic<std::uint64_t>>(0)};
  std::uint64_t finished_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Desk desk;
  UcxInbox::Message input = std::as_bytes(std::span(data, size));
  while (input.size() >= 2) {
    const unsigned event = (static_cast<unsigned>(input[0]) & 127) % kEvents;
    const bool fits = (input[0] & std::byte{128}) != std::byte{0};
    const std::size_t length = std::min(static_cast<std::size_t>(input[1]) * 8, input.size() - 2);
    std::vector<std::byte> message(input.begin() + 2, input.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    if (event == kAnnounce && fits) fit(message);
    desk.happen(event, message);
    input = input.subspan(2 + length);
  }
  return 0;
}
