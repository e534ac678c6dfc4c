// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "path/board.h"

namespace ulysses {

/// The part of a path that works through a board: announcements, completion, sleep and first cause. SelfPath and
/// ShmPath add how bytes are reached.
class BoardPath : public Path {
 public:
  /// `memory` holds a formatted board that all ranks of the communicator see.
  BoardPath(std::shared_ptr<Mapping> memory, int rank)
      : memory_(std::move(memory)), board_(memory_->data(), memory_->bytes()), rank_(rank) {}
  ~BoardPath() override {
    board_.departed(rank_).store(1, std::memory_order_release);
    board_.ring();
  }

  bool verifies() const noexcept override { return board_.verifies(); }
  Result publish(const Posting& posting, Deadline deadline) noexcept override;
  std::optional<Announcement> announcement(int peer, uint64_t sequence) noexcept override;
  const CallRecord& record(int peer, uint64_t sequence) const noexcept override {
    return board_.slot(peer, sequence).record;
  }
  int64_t tokensOf(int peer, uint64_t sequence, int index) const noexcept override {
    return board_.tokens(board_.slot(peer, sequence))[index];
  }
  int64_t queryHeadsOf(int peer, uint64_t sequence, int index) const noexcept override {
    return board_.queryHeads(board_.slot(peer, sequence))[index];
  }
  uint64_t lastSequence(int peer) const noexcept override;
  void finish(uint64_t sequence) noexcept override {
    board_.finished(rank_).store(sequence, std::memory_order_release);
    board_.ring();
  }
  bool finished(int peer, uint64_t sequence) const noexcept override {
    return board_.finished(peer).load(std::memory_order_acquire) >= sequence;
  }

  void propose(const Proposal& proposal) noexcept override;
  std::optional<Proposal> proposal(int peer, uint64_t sequence) const noexcept override;
  void decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept override;
  std::optional<std::pair<Assignment, uint64_t>> decision(int leader, uint64_t stamp) const noexcept override;

  void offer(const IdBytes& id, uint64_t stamp) noexcept override;
  std::optional<IdBytes> offered(int head, uint64_t stamp) const noexcept override;
  Ballot::State confirm(int head, uint64_t stamp, int members) noexcept override;
  Ballot::State giveUp(int head, uint64_t stamp) noexcept override;
  Ballot::State ballot(int head, uint64_t stamp) const noexcept override { return board_.ballot(head).look(stamp); }

  void sleep() noexcept override { board_.sleep(rank_, 2'000'000); }
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
  int nRanks() const noexcept { return board_.nRanks(); }

 private:
  std::shared_ptr<Mapping> memory_;
  Board board_;
  int rank_;
  uint32_t messages_ = kMessagesAtStart;
};

}  // namespace ulysses
