// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "path/board_council.h"
#include "path/path.h"

namespace ulysses {

/// The part of a path that works through a board: announcements, completion, sleep and first cause. SelfPath and
/// ShmPath add how bytes are reached.
class BoardPath : public Path {
 public:
  /// `memory` holds a formatted board that all of `ranks` see, which are the communicator's ranks of one host,
  /// ascending; empty: all its ranks.
  BoardPath(std::shared_ptr<Mapping> memory, int rank, std::span<const int> ranks = {});
  ~BoardPath() override {
    board_.departed(ownSeat_).store(1, std::memory_order_release);
    board_.ring();
  }

  bool verifies() const noexcept override { return board_.verifies(); }
  Result publish(const Posting& posting, Deadline deadline) noexcept override;
  std::optional<Announcement> announcement(int peer, uint64_t sequence) noexcept override;
  const CallRecord& record(int peer, uint64_t sequence) const noexcept override { return slot(peer, sequence).record; }
  int64_t tokensOf(int peer, uint64_t sequence, int index) const noexcept override {
    return board_.tokens(slot(peer, sequence))[index];
  }
  int64_t queryHeadsOf(int peer, uint64_t sequence, int index) const noexcept override {
    return board_.queryHeads(slot(peer, sequence))[index];
  }
  uint64_t lastSequence(int peer) const noexcept override;
  void finish(uint64_t sequence) noexcept override {
    board_.finished(ownSeat_).store(sequence, std::memory_order_release);
    board_.ring();
  }
  bool finished(int peer, uint64_t sequence) const noexcept override {
    return board_.finished(seatOf(peer)).load(std::memory_order_acquire) >= sequence;
  }
  /// A slot is read until its operation is finished.
  bool slotFree(int peer, uint64_t sequence) const noexcept override { return BoardPath::finished(peer, sequence); }

  Council& council() noexcept override { return council_; }
  /// Of groups that this rank heads; keeps the board.
  std::shared_ptr<std::atomic<uint64_t>> ballotWord() const { return {memory_, &board_.ballotWord(ownSeat_)}; }

  void sleep() noexcept override { board_.sleep(ownSeat_, 2'000'000); }
  bool isRevoked() const noexcept override { return board_.isRevoked(); }
  void revoke(const Cause& cause) noexcept override { board_.revoke(cause); }
  Cause cause() const noexcept override { return board_.cause(); }

 protected:
  /// Control messages sent to all peers so far; the path that has such messages sends them here, before a slot names
  /// it.
  virtual Result sendControl(std::span<const TensorRef>, Deadline, uint32_t&) noexcept { return Result::Success; }
  /// Reads control messages of a peer up to that many.
  virtual void receiveControl(int /*peer*/, uint32_t /*messages*/) noexcept {}

  const Board& board() const noexcept { return board_; }
  int rank() const noexcept { return rank_; }
  int ownSeat() const noexcept { return ownSeat_; }
  /// Of a rank that has one.
  int seatOf(int rank) const noexcept { return seats_[static_cast<size_t>(rank)]; }

 private:
  Board::Slot& slot(int peer, uint64_t sequence) const noexcept { return board_.slot(seatOf(peer), sequence); }

  std::shared_ptr<Mapping> memory_;
  Board board_;
  int rank_;
  std::vector<int> seats_;  // by rank; -1, or past its end: none
  int ownSeat_;
  BoardCouncil council_{board_, seats_, ownSeat_};
  uint32_t messages_ = kMessagesAtStart;
};

}  // namespace ulysses
