// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/joint_council.h"

#include <algorithm>

namespace ulysses {

/// The last path serves for this rank itself: its council has all that members of other hosts say, and the word on the
/// board too.
JointCouncil::JointCouncil(const Routes& routes, int rank) {
  for (const auto& path : routes.paths) all_.push_back(&path->council());
  for (Path* const path : routes.byRank) byRank_.push_back(path ? &path->council() : nullptr);
  byRank_[static_cast<size_t>(rank)] = all_.back();
}

void JointCouncil::propose(const Proposal& proposal) noexcept {
  for (Council* const council : all_) council->propose(proposal);
}

void JointCouncil::decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept {
  for (Council* const council : all_) council->decide(byRank, stamp);
}

void JointCouncil::offer(const IdBytes& id, uint64_t stamp) noexcept {
  for (Council* const council : all_) council->offer(id, stamp);
}

bool JointCouncil::hasTold() const noexcept {
  return std::ranges::all_of(all_, [](const Council* council) { return council->hasTold(); });
}

}  // namespace ulysses
