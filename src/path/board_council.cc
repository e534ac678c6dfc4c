// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/board_council.h"

#include <algorithm>

namespace ulysses {

void BoardCouncil::propose(const Proposal& proposal) noexcept {
  Board::Wish& wish = board_.wish(ownSeat_);
  wish.proposal = proposal;
  wish.sequence.store(proposal.sequence, std::memory_order_release);
  board_.ring();
}

std::optional<Proposal> BoardCouncil::proposal(int peer, uint64_t sequence) const noexcept {
  const Board::Wish& wish = board_.wish(seatOf(peer));
  if (wish.sequence.load(std::memory_order_acquire) != sequence) return std::nullopt;
  return wish.proposal;
}

void BoardCouncil::decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept {
  for (size_t rank = 0; rank < std::min(byRank.size(), seats_.size()); ++rank) {
    if (seats_[rank] < 0) continue;
    Board::Verdict& verdict = board_.verdict(seats_[rank]);
    verdict.begun.store(stamp, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);  // no byte of the assignment before the mark
    verdict.assignment = byRank[rank];
    verdict.written.store(stamp, std::memory_order_release);
  }
  board_.decided(ownSeat_).store(stamp, std::memory_order_release);
  board_.ring();
}

std::optional<std::pair<Assignment, uint64_t>> BoardCouncil::decision(int leader, uint64_t stamp) const noexcept {
  const uint64_t decided = board_.decided(seatOf(leader)).load(std::memory_order_acquire);
  if (decided < stamp) return std::nullopt;
  const Board::Verdict& verdict = board_.verdict(ownSeat_);
  // A leader that was lost may be followed by one that writes over its decision while it is read here.
  if (verdict.written.load(std::memory_order_acquire) != decided) return std::nullopt;
  const Assignment assignment = verdict.assignment;
  std::atomic_thread_fence(std::memory_order_acquire);
  if (verdict.begun.load(std::memory_order_relaxed) != decided) return std::nullopt;
  return std::pair(assignment, decided);
}

Ballot::State BoardCouncil::confirm(int head, uint64_t stamp, int members) noexcept {
  const Ballot::State state = board_.ballot(seatOf(head)).confirm(stamp, members);
  board_.ring();
  return state;
}

Ballot::State BoardCouncil::giveUp(int head, uint64_t stamp) noexcept {
  const Ballot::State state = board_.ballot(seatOf(head)).giveUp(stamp);
  board_.ring();
  return state;
}

void BoardCouncil::offer(const IdBytes& id, uint64_t stamp) noexcept {
  Board::Wish& wish = board_.wish(ownSeat_);
  wish.id = id;
  wish.offered.store(stamp, std::memory_order_release);
  board_.ring();
}

std::optional<IdBytes> BoardCouncil::offered(int head, uint64_t stamp) const noexcept {
  const Board::Wish& wish = board_.wish(seatOf(head));
  if (wish.offered.load(std::memory_order_acquire) != stamp) return std::nullopt;
  return wish.id;
}

}  // namespace ulysses
