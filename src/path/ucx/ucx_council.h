// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "path/council.h"
#include "path/ucx/peer.h"

namespace ulysses {

/// By messages. Every rank keeps what each peer told it last. Whether a group came to be is decided where its head is:
/// members of other hosts send their votes there, and the head sends the outcome back. Plain state: `tell` does the
/// sending. Of ranks that are not on this path it knows nothing.
class UcxCouncil final : public Council {
 public:
  using Tell = std::function<void(UcxPeer& peer, UcxMessage id, std::span<const std::byte> message)>;

  /// `peers`, by rank, belong to the path. `ballot`: the word of the group that this rank heads, which members of its
  /// own host may change too.
  UcxCouncil(int rank, const std::vector<std::unique_ptr<UcxPeer>>& peers, Tell tell,
             std::shared_ptr<std::atomic<uint64_t>> ballot);

  void propose(const Proposal& proposal) noexcept override;
  std::optional<Proposal> proposal(int peer, uint64_t sequence) const noexcept override;
  void decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept override;
  std::optional<std::pair<Assignment, uint64_t>> decision(int leader, uint64_t stamp) const noexcept override;
  void offer(const IdBytes& id, uint64_t stamp) noexcept override;
  std::optional<IdBytes> offered(int head, uint64_t stamp) const noexcept override;
  Ballot::State confirm(int head, uint64_t stamp, int members) noexcept override;
  Ballot::State giveUp(int head, uint64_t stamp) noexcept override;
  Ballot::State ballot(int head, uint64_t stamp) const noexcept override;
  bool hasTold() const noexcept override;

  // What peers said; `from` is one of this path. What cannot be is noted at its sender.
  void hear(const UcxProposal& said) noexcept;
  void hear(const UcxDecision& said) noexcept;
  void hear(const UcxOffer& said) noexcept;
  void hear(const UcxVote& said) noexcept;
  void hear(const UcxOutcome& said) noexcept;
  /// Tells outcomes that are new, whoever brought them about. To be called now and then.
  void tellOutcomes() noexcept;

 private:
  /// What a rank told last, by kind; `stamp` and `sequence` 0: nothing.
  struct Said {
    Proposal proposal;
    uint64_t decided = 0, offered = 0;
    Assignment assignment;
    IdBytes id{};
    UcxOutcome outcome;
    uint64_t confirmed = 0;            // stamp of its yes to the group that this rank heads
    uint64_t voted = 0, answered = 0;  // stamps: of its last vote, and of the last outcome that it was told
  };

  Said& of(int rank) noexcept { return said_[static_cast<size_t>(rank)]; }
  const Said& of(int rank) const noexcept { return said_[static_cast<size_t>(rank)]; }
  UcxPeer& peer(int rank) const noexcept { return *peers_[static_cast<size_t>(rank)]; }
  template <typename T>
  void tell(int rank, UcxMessage id, const T& message) noexcept;
  template <typename T>
  void tellAll(UcxMessage id, const T& message) noexcept;
  void tellOutcome(int rank, uint64_t stamp) noexcept;
  void vote(int head, uint64_t stamp, int members) noexcept;

  int rank_;
  const std::vector<std::unique_ptr<UcxPeer>>& peers_;
  Tell tell_;
  std::shared_ptr<std::atomic<uint64_t>> word_;
  Ballot ballot_{*word_};
  std::vector<Said> said_;
  uint64_t gaveUp_ = 0;    // stamp of the group of another head that it gave up
  bool hasVotes_ = false;  // somebody may wait for an outcome
};

}  // namespace ulysses
