// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstring>

#include "base/mapping.h"
#include "path/ballot.h"
#include "path/path.h"

namespace ulysses {

/// The memory that the ranks of one host share to talk: per rank a ring of announcements, a completion counter and a
/// doorbell, per pair two chunk counters, and the first cause. A view over a mapping; every rank maps the same bytes.
/// Ranks of one host are known here by their seats, 0 to nSeats() - 1 in the order of their ranks.
///
/// Ordering: whoever fills a slot stores its sequence with release after everything else, whoever reads it loads that
/// with acquire first. A slot is filled again only after every peer's completion counter has passed the operation that
/// used it, so a reader never sees a slot change under it. Every flag that ranks poll has a cache line to itself.
class Board {
 public:
  struct Options {
    int32_t nRanks;  // of the communicator
    int64_t stagingBytes;
    bool verify = false;
    int32_t nSeats = nRanks;
  };
  static size_t bytesFor(const Options& options);
  /// Writes a fresh board; its creator only, before any peer maps it.
  static void format(std::byte* data, const Options& options);
  /// A view over a formatted board. Throws InternalError when it is not one of this version and size.
  Board(std::byte* data, size_t bytes);

  int nSeats() const noexcept { return nSeats_; }
  int64_t stagingBytes() const noexcept;
  bool verifies() const noexcept { return verifies_; }

  struct alignas(64) Slot {
    std::atomic<uint64_t> sequence;
    uint64_t callHash, strideHash;
    uint32_t messages;  // control messages sent so far: read them before the references
    uint32_t poisoned;
    TensorRef tensors[kMaxTensors];
    uint64_t recordId;
    CallRecord record;
    // then int64 tokens[nRanks], queryHeads[nRanks]; when ranks verify, uint64 seals[nRanks][kSeals]
  };
  Slot& slot(int seat, uint64_t sequence) const noexcept {
    const size_t index = static_cast<size_t>(seat) * kMaxOutstanding + sequence % kMaxOutstanding;
    return *reinterpret_cast<Slot*>(slots_ + index * slotBytes_);
  }
  int64_t* tokens(Slot& slot) const noexcept { return reinterpret_cast<int64_t*>(&slot + 1); }
  int64_t* queryHeads(Slot& slot) const noexcept { return tokens(slot) + nRanks_; }
  uint64_t* seals(Slot& slot) const noexcept { return reinterpret_cast<uint64_t*>(queryHeads(slot) + nRanks_); }

  /// Of new communicators of these ranks; each with a cache line or more of its own.
  struct alignas(64) Wish {
    std::atomic<uint64_t> sequence, offered;
    Proposal proposal;
    IdBytes id;
  };
  struct alignas(64) Verdict {
    std::atomic<uint64_t> begun, written;  // stamps: equal when the assignment is whole
    Assignment assignment;
  };
  Wish& wish(int seat) const noexcept;
  /// The seat's in the decision that was published last.
  Verdict& verdict(int seat) const noexcept;
  std::atomic<uint64_t>& decided(int leader) const noexcept { return line(leader * kPerSeat + kDecided).value; }

  /// Of the group that this rank heads.
  std::atomic<uint64_t>& ballotWord(int head) const noexcept { return line(head * kPerSeat + kBallot).value; }
  Ballot ballot(int head) const noexcept { return Ballot(ballotWord(head)); }

  std::atomic<uint64_t>& finished(int seat) const noexcept { return line(seat * kPerSeat + kFinished).value; }
  /// Chunks that went from one rank to another, and how many of them were read.
  std::atomic<uint64_t>& sent(int from, int to) const noexcept;
  std::atomic<uint64_t>& taken(int from, int to) const noexcept;
  /// Set when a rank destroys its communicator, so that its end is not taken for a crash.
  std::atomic<uint32_t>& departed(int seat) const noexcept;

  // --- sleeping: a publisher wakes sleepers only when there are any
  void ring() const noexcept {
    if (sleepers_->load(std::memory_order_relaxed) != 0) wakeAll();
  }
  void sleep(int seat, int64_t ns) const noexcept;

  // --- first cause
  bool isRevoked() const noexcept { return causeState_->load(std::memory_order_acquire) != 0; }
  void revoke(const Cause& cause) const noexcept;
  Cause cause() const noexcept;

 private:
  struct Header;
  struct alignas(64) Line {
    std::atomic<uint64_t> value;
  };
  Header& header() const noexcept { return *reinterpret_cast<Header*>(data_); }
  static constexpr size_t kLineBytes = 64;
  // Lines: per seat completion, departed, doorbell, decided, ballot; per pair sent, taken.
  enum PerSeat { kFinished, kDeparted, kDoorbell, kDecided, kBallot, kPerSeat };
  static int64_t lineCount(int nSeats);
  Line& line(int64_t index) const noexcept {
    return *reinterpret_cast<Line*>(lines_ + static_cast<size_t>(index) * kLineBytes);
  }
  std::atomic<uint32_t>& doorbell(int seat) const noexcept;
  void wakeAll() const noexcept;
  static size_t slotBytes(const Options& options);

  std::byte* data_;
  int nRanks_, nSeats_;
  bool verifies_ = false;
  size_t slotBytes_;
  std::byte* lines_;
  std::byte *slots_, *wishes_;
  std::atomic<uint32_t>*sleepers_, *causeState_;
};

}  // namespace ulysses
