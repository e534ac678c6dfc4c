// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "path/board.h"
#include "path/council.h"

namespace ulysses {

/// Through a board. Of the communicator's other ranks, which have no seat at it, it knows nothing.
class BoardCouncil final : public Council {
 public:
  /// `seats`: by rank; -1, or past its end: none. Both belong to the path.
  BoardCouncil(const Board& board, const std::vector<int>& seats, int ownSeat)
      : board_(board), seats_(seats), ownSeat_(ownSeat) {}

  void propose(const Proposal& proposal) noexcept override;
  std::optional<Proposal> proposal(int peer, uint64_t sequence) const noexcept override;
  void decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept override;
  std::optional<std::pair<Assignment, uint64_t>> decision(int leader, uint64_t stamp) const noexcept override;
  void offer(const IdBytes& id, uint64_t stamp) noexcept override;
  std::optional<IdBytes> offered(int head, uint64_t stamp) const noexcept override;
  Ballot::State confirm(int head, uint64_t stamp, int members) noexcept override;
  Ballot::State giveUp(int head, uint64_t stamp) noexcept override;
  Ballot::State ballot(int head, uint64_t stamp) const noexcept override {
    return board_.ballot(seatOf(head)).look(stamp);
  }

 private:
  int seatOf(int rank) const noexcept { return seats_[static_cast<size_t>(rank)]; }

  const Board& board_;
  const std::vector<int>& seats_;
  int ownSeat_;
};

}  // namespace ulysses
