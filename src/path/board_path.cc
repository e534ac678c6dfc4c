// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/board_path.h"

#include <algorithm>
#include <numeric>

namespace ulysses {

namespace {

/// By rank; -1: none.
std::vector<int> seatsOf(std::span<const int> ranks, int nSeats) {
  std::vector<int> seats(ranks.empty() ? static_cast<size_t>(nSeats) : static_cast<size_t>(ranks.back()) + 1, -1);
  if (ranks.empty()) std::iota(seats.begin(), seats.end(), 0);
  for (size_t seat = 0; seat < ranks.size(); ++seat) seats[static_cast<size_t>(ranks[seat])] = static_cast<int>(seat);
  return seats;
}

}  // namespace

BoardPath::BoardPath(std::shared_ptr<Mapping> memory, int rank, std::span<const int> ranks)
    : memory_(std::move(memory)),
      board_(memory_->data(), memory_->bytes()),
      rank_(rank),
      seats_(seatsOf(ranks, board_.nSeats())),
      ownSeat_(seatOf(rank)) {}

Result BoardPath::publish(const Posting& posting, Deadline deadline) noexcept {
  if (const Result sent = sendControl(posting.tensors, deadline, messages_); sent != Result::Success) return sent;
  Board::Slot& slot = board_.slot(ownSeat_, posting.sequence);
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
  Board::Slot& slot = this->slot(peer, sequence);
  if (slot.sequence.load(std::memory_order_acquire) != sequence) return std::nullopt;
  receiveControl(peer, slot.messages);
  const uint64_t* seals = board_.verifies() ? board_.seals(slot) + rank_ * kSeals : nullptr;
  return Announcement{slot.callHash, slot.strideHash, slot.poisoned != 0, slot.tensors, seals};
}

uint64_t BoardPath::lastSequence(int peer) const noexcept {
  uint64_t last = 0;
  for (uint64_t i = 0; i < kMaxOutstanding; ++i)
    last = std::max(last, slot(peer, i).sequence.load(std::memory_order_relaxed));
  return last;
}

}  // namespace ulysses
