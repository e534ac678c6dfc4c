// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/board_path.h"

#include <algorithm>

namespace ulysses {

Result BoardPath::publish(const Posting& posting, Deadline deadline) noexcept {
  if (const Result sent = sendControl(posting.tensors, deadline, messages_); sent != Result::Success) return sent;
  Board::Slot& slot = board_.slot(rank_, posting.sequence);
  slot.callHash = posting.callHash;
  slot.strideHash = posting.strideHash;
  slot.messages = messages_;
  slot.poisoned = posting.record->poison != 0;
  std::copy(posting.tensors.begin(), posting.tensors.end(), slot.tensors);
  if (board_.verifies()) std::copy(posting.seals.begin(), posting.seals.end(), board_.seals(slot));
  if (slot.recordId != posting.recordId) {  // the record is only read on a difference: spare the stores when it stands
    slot.recordId = posting.recordId;
    slot.record = *posting.record;
    std::copy(posting.tokens.begin(), posting.tokens.end(), board_.tokens(slot));
    std::copy(posting.queryHeads.begin(), posting.queryHeads.end(), board_.queryHeads(slot));
  }
  slot.sequence.store(posting.sequence, std::memory_order_release);
  board_.ring();
  return Result::Success;
}

std::optional<Announcement> BoardPath::announcement(int peer, uint64_t sequence) noexcept {
  Board::Slot& slot = board_.slot(peer, sequence);
  if (slot.sequence.load(std::memory_order_acquire) != sequence) return std::nullopt;
  receiveControl(peer, slot.messages);
  const uint64_t* seals = board_.verifies() ? board_.seals(slot) + rank_ * kSeals : nullptr;
  return Announcement{slot.callHash, slot.strideHash, slot.poisoned != 0, slot.tensors, seals};
}

uint64_t BoardPath::lastSequence(int peer) const noexcept {
  uint64_t last = 0;
  for (uint64_t i = 0; i < kMaxOutstanding; ++i)
    last = std::max(last, board_.slot(peer, i).sequence.load(std::memory_order_relaxed));
  return last;
}

void BoardPath::propose(const Proposal& proposal) noexcept {
  Board::Wish& wish = board_.wish(rank_);
  wish.proposal = proposal;
  wish.sequence.store(proposal.sequence, std::memory_order_release);
  board_.ring();
}

std::optional<Proposal> BoardPath::proposal(int peer, uint64_t sequence) const noexcept {
  const Board::Wish& wish = board_.wish(peer);
  if (wish.sequence.load(std::memory_order_acquire) != sequence) return std::nullopt;
  return wish.proposal;
}

void BoardPath::decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept {
  for (size_t rank = 0; rank < byRank.size(); ++rank) {
    Board::Verdict& verdict = board_.verdict(static_cast<int>(rank));
    verdict.begun.store(stamp, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);  // no byte of the assignment before the mark
    verdict.assignment = byRank[rank];
    verdict.written.store(stamp, std::memory_order_release);
  }
  board_.decided(rank_).store(stamp, std::memory_order_release);
  board_.ring();
}

std::optional<std::pair<Assignment, uint64_t>> BoardPath::decision(int leader, uint64_t stamp) const noexcept {
  const uint64_t decided = board_.decided(leader).load(std::memory_order_acquire);
  if (decided < stamp) return std::nullopt;
  const Board::Verdict& verdict = board_.verdict(rank_);
  // A leader that was lost may be followed by one that writes over its decision while it is read here.
  if (verdict.written.load(std::memory_order_acquire) != decided) return std::nullopt;
  const Assignment assignment = verdict.assignment;
  std::atomic_thread_fence(std::memory_order_acquire);
  if (verdict.begun.load(std::memory_order_relaxed) != decided) return std::nullopt;
  return std::pair(assignment, decided);
}

Ballot::State BoardPath::confirm(int head, uint64_t stamp, int members) noexcept {
  const Ballot::State state = board_.ballot(head).confirm(stamp, members);
  board_.ring();
  return state;
}

Ballot::State BoardPath::giveUp(int head, uint64_t stamp) noexcept {
  const Ballot::State state = board_.ballot(head).giveUp(stamp);
  board_.ring();
  return state;
}

void BoardPath::offer(const IdBytes& id, uint64_t stamp) noexcept {
  Board::Wish& wish = board_.wish(rank_);
  wish.id = id;
  wish.offered.store(stamp, std::memory_order_release);
  board_.ring();
}

std::optional<IdBytes> BoardPath::offered(int head, uint64_t stamp) const noexcept {
  const Board::Wish& wish = board_.wish(head);
  if (wish.offered.load(std::memory_order_acquire) != stamp) return std::nullopt;
  return wish.id;
}

}  // namespace ulysses
