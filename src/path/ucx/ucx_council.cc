// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ucx/ucx_council.h"

#include <algorithm>

#include "base/status.h"

namespace ulysses {
namespace {

bool isPlace(const Assignment& assignment, int nRanks) noexcept {
  if (assignment.result < 0 || assignment.result > static_cast<int32_t>(Result::Corrupted)) return false;
  if (assignment.rank < 0) return assignment.rank == -1;
  return assignment.rank < assignment.nRanks && assignment.nRanks <= nRanks && assignment.head >= 0 &&
         assignment.head < nRanks;
}

}  // namespace

UcxCouncil::UcxCouncil(int rank, const std::vector<std::unique_ptr<UcxPeer>>& peers, Tell tell,
                       std::shared_ptr<std::atomic<uint64_t>> ballot)
    : rank_(rank), peers_(peers), tell_(std::move(tell)), word_(std::move(ballot)), said_(peers.size()) {}

template <typename T>
void UcxCouncil::tell(int rank, UcxMessage id, const T& message) noexcept {
  if (peer(rank).isOurs()) tell_(peer(rank), id, std::as_bytes(std::span(&message, 1)));
}

template <typename T>
void UcxCouncil::tellAll(UcxMessage id, const T& message) noexcept {
  for (int rank = 0; rank < std::ssize(peers_); ++rank) tell(rank, id, message);
}

void UcxCouncil::propose(const Proposal& proposal) noexcept {
  of(rank_).proposal = proposal;
  tellAll(UcxMessage::Proposal, UcxProposal{.from = rank_, .reserved = 0, .proposal = proposal});
}

std::optional<Proposal> UcxCouncil::proposal(int peer, uint64_t sequence) const noexcept {
  if (of(peer).proposal.sequence != sequence) return std::nullopt;
  return of(peer).proposal;
}

void UcxCouncil::decide(std::span<const Assignment> byRank, uint64_t stamp) noexcept {
  for (int rank = 0; rank < std::ssize(peers_); ++rank)
    tell(rank, UcxMessage::Decision,
         UcxDecision{.from = rank_, .reserved = 0, .stamp = stamp, .assignment = byRank[static_cast<size_t>(rank)]});
}

std::optional<std::pair<Assignment, uint64_t>> UcxCouncil::decision(int leader, uint64_t stamp) const noexcept {
  if (of(leader).decided < stamp) return std::nullopt;
  return std::pair(of(leader).assignment, of(leader).decided);
}

void UcxCouncil::offer(const IdBytes& id, uint64_t stamp) noexcept {
  tellAll(UcxMessage::Offer, UcxOffer{.from = rank_, .reserved = 0, .stamp = stamp, .id = id});
}

std::optional<IdBytes> UcxCouncil::offered(int head, uint64_t stamp) const noexcept {
  if (of(head).offered != stamp) return std::nullopt;
  return of(head).id;
}

void UcxCouncil::vote(int head, uint64_t stamp, int members) noexcept {
  tell(head, UcxMessage::Vote, UcxVote{.from = rank_, .members = members, .stamp = stamp});
}

Ballot::State UcxCouncil::confirm(int head, uint64_t stamp, int members) noexcept {
  if (head != rank_) {
    vote(head, stamp, members);
    return ballot(head, stamp);
  }
  const Ballot::State state = ballot_.confirm(stamp, members);
  tellOutcomes();
  return state;
}

Ballot::State UcxCouncil::giveUp(int head, uint64_t stamp) noexcept {
  if (head != rank_) {
    if (gaveUp_ != stamp) vote(head, stamp, 0);
    gaveUp_ = stamp;
    return ballot(head, stamp);
  }
  const Ballot::State state = ballot_.giveUp(stamp);
  // Those who wait for its offer, or in its rendezvous, have not voted.
  if (state == Ballot::State::Aborted)
    for (Said& said : said_) said.voted = std::max(said.voted, stamp);
  hasVotes_ = true;
  tellOutcomes();
  return state;
}

Ballot::State UcxCouncil::ballot(int head, uint64_t stamp) const noexcept {
  if (head == rank_) return ballot_.look(stamp);
  const UcxOutcome& outcome = of(head).outcome;
  if (outcome.stamp == stamp) return static_cast<Ballot::State>(outcome.state);
  const bool isGone = peer(head).isBroken() || peer(head).departed;
  return outcome.stamp > stamp || isGone ? Ballot::State::Aborted : Ballot::State::Open;
}

bool UcxCouncil::hasTold() const noexcept {
  return std::ranges::all_of(peers_, [](const auto& peer) { return peer->underWay == 0 || peer->isBroken(); });
}

void UcxCouncil::hear(const UcxProposal& said) noexcept { of(said.from).proposal = said.proposal; }

void UcxCouncil::hear(const UcxDecision& said) noexcept {
  if (!isPlace(said.assignment, static_cast<int>(peers_.size()))) {
    peer(said.from).nonsense = "gives this rank a place that cannot be";
    return;
  }
  Said& leader = of(said.from);
  leader.assignment = said.assignment;
  leader.assignment.text[sizeof leader.assignment.text - 1] = 0;
  leader.decided = said.stamp;
}

void UcxCouncil::hear(const UcxOffer& said) noexcept {
  of(said.from).id = said.id;
  of(said.from).offered = said.stamp;
}

/// A rank says yes to a decision once; a vote on an older one than is voted on changes nothing, and is answered.
void UcxCouncil::hear(const UcxVote& said) noexcept {
  if (said.members < 0 || said.members > std::ssize(peers_)) {
    peer(said.from).nonsense = "counts members of a group that cannot be";
    return;
  }
  Said& voter = of(said.from);
  if (said.members == 0) {
    ballot_.giveUp(said.stamp);
  } else if (voter.confirmed < said.stamp) {
    voter.confirmed = said.stamp;
    ballot_.confirm(said.stamp, said.members);
  }
  voter.voted = std::max(voter.voted, said.stamp);
  hasVotes_ = true;
  tellOutcomes();
}

void UcxCouncil::hear(const UcxOutcome& said) noexcept {
  const auto state = static_cast<Ballot::State>(said.state);
  if (state != Ballot::State::Committed && state != Ballot::State::Aborted)
    peer(said.from).nonsense = "tells an outcome that cannot be";
  else if (said.stamp >= of(said.from).outcome.stamp)
    of(said.from).outcome = said;
}

void UcxCouncil::tellOutcomes() noexcept {
  if (!hasVotes_) return;
  hasVotes_ = false;
  for (int rank = 0; rank < std::ssize(peers_); ++rank) {
    Said& voter = of(rank);
    if (voter.voted == voter.answered) continue;
    const Ballot::State state = ballot_.look(voter.voted);
    hasVotes_ |= state == Ballot::State::Open;
    if (state == Ballot::State::Open) continue;
    voter.answered = voter.voted;
    tell(rank, UcxMessage::Outcome,
         UcxOutcome{.from = rank_, .state = static_cast<uint32_t>(state), .stamp = voter.voted});
  }
}

}  // namespace ulysses
