// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ucx/inbox.h"

#include <cstring>

#include "base/status.h"

namespace ulysses {
namespace {

template <typename T>
std::optional<T> read(std::span<const std::byte>& from) {
  if (from.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, from.data(), sizeof value);
  from = from.subspan(sizeof value);
  return value;
}

void copyTo(std::vector<int64_t>& to, std::span<const std::byte>& from, size_t count) {
  to.resize(count);
  if (count) std::memcpy(to.data(), from.data(), count * sizeof(int64_t));
  from = from.subspan(count * sizeof(int64_t));
}

void credit(UcxPeer& peer, uint64_t taken) noexcept {
  if (taken < peer.credited || taken > peer.sent)
    peer.nonsense = "has taken chunks that were never sent";
  else
    peer.credited = taken;
}

}  // namespace

/// Null: no peer of this path has that rank.
UcxPeer* UcxInbox::senderOf(int32_t rank) const noexcept {
  if (rank < 0 || rank >= std::ssize(peers_)) return nullptr;
  UcxPeer* const peer = peers_[static_cast<size_t>(rank)].get();
  return peer->isOurs() ? peer : nullptr;
}

void UcxInbox::takeAnnounce(Message message, uint64_t finished) {
  const auto head = read<UcxAnnounce>(message);
  UcxPeer* const peer = head ? senderOf(head->from) : nullptr;
  if (!peer) return drop();
  const auto refuse = [&](const char* nonsense) { peer->nonsense = nonsense; };
  const auto isCount = [&](uint32_t count) { return count == 0 || count == peers_.size(); };
  const size_t seals = head->nSeals * sizeof(uint64_t);
  const size_t record = head->hasRecord ? sizeof(CallRecord) + (size_t{head->tokens} + head->queryHeads) * 8 : 0;
  if (!isCount(head->tokens) || !isCount(head->queryHeads) || (head->nSeals != 0 && head->nSeals != kSeals) ||
      head->hasRecord > 1 || message.size() != seals + record)
    return refuse("has a length that cannot be");
  if (head->sequence <= peer->last || (head->sequence > kUcxRing && head->sequence - kUcxRing > finished))
    return refuse("announces an operation out of turn");
  credit(*peer, head->taken);
  UcxPeer::Slot& slot = peer->ring[head->sequence % kUcxRing];
  if (seals) std::memcpy(slot.seals, message.data(), seals);
  message = message.subspan(seals);
  std::shared_ptr<const UcxPeer::Record> found;
  if (head->hasRecord) {
    auto fresh = std::make_shared<UcxPeer::Record>();
    fresh->id = head->recordId;
    fresh->call = *read<CallRecord>(message);
    copyTo(fresh->tokens, message, head->tokens);
    copyTo(fresh->queryHeads, message, head->queryHeads);
    found = std::move(fresh);
  } else {
    found = peer->recordOf(head->recordId);
  }
  if (!found) return refuse("refers to a record that never came");
  slot.record = std::move(found);
  slot.callHash = head->callHash;
  slot.strideHash = head->strideHash;
  slot.poisoned = head->poisoned != 0;
  peer->last = slot.sequence = head->sequence;
}

void UcxInbox::takeCredit(Message message) noexcept {
  if (const auto said = takeWhole<UcxCredit>(message)) credit(*senderOf(said->from), said->taken);
}

std::optional<Cause> UcxInbox::takeCause(Message message) noexcept {
  const auto said = takeWhole<UcxCause>(message);
  if (!said) return std::nullopt;
  Cause cause = said->cause;
  cause.text[sizeof cause.text - 1] = 0;
  if (cause.result <= 0) cause.result = static_cast<int32_t>(Result::InternalError);
  return cause;
}

UcxPeer* UcxInbox::takeDepart(Message message) noexcept {
  const auto depart = takeWhole<UcxDepart>(message);
  if (!depart) return nullptr;
  UcxPeer* const peer = senderOf(depart->from);
  peer->departed = true;
  peer->departedAfter = depart->finished;
  return peer;
}

}  // namespace ulysses
