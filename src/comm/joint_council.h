// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "comm/reach.h"
#include "path/council.h"

namespace ulysses {

/// One council of all ranks, whatever paths lead to them: what is for all is told on every path, what one rank says is
/// looked up on the path to it.
class JointCouncil final : public Council {
 public:
  /// `routes` has a path.
  JointCouncil(const Routes& routes, int rank);

  void propose(const Proposal& proposal) noexcept override;
  std::optional<Proposal> proposal(int peer, uint64_t sequence) const noexcept override {
    return at(peer).proposal(peer, sequence);
  }
  void decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept override;
  std::optional<std::pair<Assignment, uint64_t>> decision(int leader, uint64_t stamp) const noexcept override {
    return at(leader).decision(leader, stamp);
  }
  void offer(const IdBytes& id, uint64_t stamp) noexcept override;
  std::optional<IdBytes> offered(int head, uint64_t stamp) const noexcept override {
    return at(head).offered(head, stamp);
  }
  Ballot::State confirm(int head, uint64_t stamp, int members) noexcept override {
    return at(head).confirm(head, stamp, members);
  }
  Ballot::State giveUp(int head, uint64_t stamp) noexcept override { return at(head).giveUp(head, stamp); }
  Ballot::State ballot(int head, uint64_t stamp) const noexcept override { return at(head).ballot(head, stamp); }
  bool hasTold() const noexcept override;

 private:
  Council& at(int rank) const noexcept { return *byRank_[static_cast<size_t>(rank)]; }

  std::vector<Council*> all_, byRank_;
};

}  // namespace ulysses
