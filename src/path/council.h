// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "path/ballot.h"
#include "path/record.h"

namespace ulysses {

/// What the ranks of a communicator tell each other when they make new ones, also after it was revoked. One rank's end;
/// one thread at a time. Steps: docs/algorithms.md.
class Council {
 public:
  virtual ~Council() = default;

  /// To all: this rank calls, and wants this.
  virtual void propose(const Proposal& proposal) noexcept = 0;
  virtual std::optional<Proposal> proposal(int peer, uint64_t sequence) const noexcept = 0;

  /// By the leader: one assignment per rank. `stamp` grows with each decision, whoever decides.
  virtual void decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept = 0;
  /// This rank's, by that leader's decision with this stamp or a later one, and the stamp.
  virtual std::optional<std::pair<Assignment, uint64_t>> decision(int leader, uint64_t stamp) const noexcept = 0;

  /// The unique id for the group that this rank heads by the decision with that stamp.
  virtual void offer(const IdBytes& id, uint64_t stamp) noexcept = 0;
  virtual std::optional<IdBytes> offered(int head, uint64_t stamp) const noexcept = 0;

  /// Whether the group that `head` heads by that decision came to be, see Ballot. Open while that is not known here;
  /// Aborted when nobody is left who could say.
  virtual Ballot::State confirm(int head, uint64_t stamp, int members) noexcept = 0;
  virtual Ballot::State giveUp(int head, uint64_t stamp) noexcept = 0;
  virtual Ballot::State ballot(int head, uint64_t stamp) const noexcept = 0;

  /// Whether all that was told has left this rank, so that it may turn to other things.
  virtual bool hasTold() const noexcept { return true; }
};

}  // namespace ulysses
