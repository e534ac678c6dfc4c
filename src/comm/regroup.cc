// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/regroup.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <map>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/bootstrap/rendezvous.h"

namespace ulysses {
namespace {

constexpr uint64_t kStampsPerSequence = 1 << 20;  // decisions of one split or shrink: one more for each rank lost

uint64_t hashOf(std::vector<int> ranks) {
  std::sort(ranks.begin(), ranks.end());
  return hashBytes(ranks.data(), ranks.size() * sizeof(int), 1);
}

std::string listOf(const std::vector<int>& ranks) {
  std::string text;
  for (const int rank : ranks) text += formatText("{}{}", text.empty() ? "" : ", ", rank);
  return text;
}

}  // namespace

Regroup::Regroup(Exchange& exchange, Path& path, Wish wish, uint64_t sequence, Deadline deadline)
    : exchange_(exchange),
      path_(path),
      wish_(std::move(wish)),
      sequence_(sequence),
      stamp_(sequence * kStampsPerSequence),
      deadline_(deadline),
      rank_(exchange.identity().rank),
      nRanks_(exchange.identity().nRanks),
      lost_(static_cast<size_t>(nRanks_)) {
  path_.propose({sequence_, wish_.color, wish_.key, hashOf(wish_.excluded)});
  faultPoint("regroup.proposed");
}

bool Regroup::isExcluded(int rank) const { return std::ranges::find(wish_.excluded, rank) != wish_.excluded.end(); }

/// Once lost, always lost.
bool Regroup::isLost(int rank) {
  std::string& lost = lost_[static_cast<size_t>(rank)];
  if (lost.empty() && rank != rank_) lost = path_.lost(rank).value_or("");
  return !lost.empty();
}

/// "rank 3 was lost: pid 7 died: killed by signal 9 (Killed)", or "".
std::string Regroup::lossText() {
  for (int rank = 0; rank < nRanks_; ++rank)
    if (!isExcluded(rank) && isLost(rank))
      return formatText("rank {} was lost: {}", rank, lost_[static_cast<size_t>(rank)]);
  return "";
}

int Regroup::leader() {
  for (int rank = 0; rank < nRanks_; ++rank)
    if (!isOut(rank)) return rank;
  raise(Result::InternalError, "no rank is left");
}

/// Ranks that live and have not called.
std::vector<int> Regroup::absent() {
  std::vector<int> ranks;
  for (int rank = 0; rank < nRanks_; ++rank)
    if (rank != rank_ && !isExcluded(rank) && !path_.proposal(rank, sequence_) && !isLost(rank)) ranks.push_back(rank);
  return ranks;
}

/// Nothing came: waits a little. Whether it is time to look whether the others live; throws at the deadline.
bool Regroup::idle(Waiter& waiter, const std::string& waitingFor) {
  const Waiter::Next next = waiter.idle();
  if (next == Waiter::Next::Again) return false;
  path_.service();
  if (deadline_.passed())
    raise(Result::Timeout, "{}: deadline passed, waiting for {}; all ranks must call it, or raise init_timeout_ms",
          exchange_.identity().name, waitingFor);
  if (next == Waiter::Next::CheckPeersAndSleep) path_.sleep();
  return true;
}

void Regroup::awaitProposals() {
  Waiter waiter;
  for (std::vector<int> missing = absent(); !missing.empty() && (wish_.toleratesLosses || lossText().empty());
       missing = absent())
    while (!idle(waiter, "rank " + listOf(missing) + " to call")) {
    }
}

/// Nothing when that rank was lost before it decided.
std::optional<Assignment> Regroup::awaitDecision(int from) {
  Waiter waiter;
  for (;;) {
    if (const auto decided = path_.decision(from, stamp_ + 1)) {
      stamp_ = decided->second;
      return decided->first;
    }
    // Whoever has decided may leave this communicator at once: look at its decision after its end.
    if (idle(waiter, formatText("rank {} to decide", from)) && isOut(from) && !path_.decision(from, stamp_ + 1))
      return std::nullopt;
  }
}

std::vector<Assignment> Regroup::refuse(Result result, const std::string& text) const {
  Assignment refusal;
  refusal.result = static_cast<int32_t>(result);
  copyText(refusal.text, text);
  return std::vector<Assignment>(static_cast<size_t>(nRanks_), refusal);
}

std::vector<Assignment> Regroup::decide() {
  if (const std::string loss = lossText(); !loss.empty() && !wish_.toleratesLosses)
    return refuse(Result::RemoteLost, loss + "; ulyssesCommShrink goes on without it");
  std::map<int, std::vector<std::pair<int, int>>> groups;  // color -> (key, old rank)
  const auto lost = static_cast<int32_t>(countLost());     // one that goes meanwhile is found by its group
  for (int rank = 0; rank < nRanks_; ++rank) {
    if (isOut(rank)) continue;
    const Proposal proposal = path_.proposal(rank, sequence_).value();
    if (proposal.excludedHash != hashOf(wish_.excluded))
      return refuse(Result::Mismatch, formatText("rank {} and rank {} leave out different ranks", rank_, rank));
    if (proposal.color >= 0) groups[proposal.color].push_back({proposal.key, rank});
  }
  std::vector<Assignment> assignments(static_cast<size_t>(nRanks_));
  for (auto& [color, members] : groups) {
    std::sort(members.begin(), members.end());
    for (size_t i = 0; i < members.size(); ++i) {
      Assignment& assignment = assignments[static_cast<size_t>(members[i].second)];
      assignment.rank = static_cast<int32_t>(i);
      assignment.nRanks = static_cast<int32_t>(members.size());
      assignment.head = static_cast<int32_t>(members.front().second);
      assignment.lost = lost;
    }
  }
  return assignments;
}

/// This rank's own or the leader's; nothing when the leader was lost.
std::optional<Assignment> Regroup::assignmentBy(int by) {
  if (by != rank_) return awaitDecision(by);
  awaitProposals();
  const std::vector<Assignment> assignments = decide();
  // Newer than whatever an earlier leader decided before it was lost: some ranks may have seen that.
  for (int rank = 0; rank < nRanks_; ++rank)
    if (const auto earlier = path_.decision(rank, stamp_ + 1)) stamp_ = earlier->second;
  faultPoint("regroup.deciding");
  path_.decide(assignments, ++stamp_);
  faultPoint("regroup.decided");
  return assignments[static_cast<size_t>(rank_)];
}

UniqueId Regroup::offerId() {
  try {
    const UniqueId id = openRendezvous(kLoopback, &serving_);
    path_.offer(std::bit_cast<IdBytes>(id), stamp_);
    faultPoint("regroup.offered");
    return id;
  } catch (...) {
    path_.giveUp(rank_, stamp_);
    throw;
  }
}

/// Of the group that `head` heads; nothing when it was lost before it offered one. Whoever offers lives until all of
/// the group have joined, since it joins too.
std::optional<UniqueId> Regroup::awaitId(int head) {
  if (head == rank_) return offerId();
  Waiter waiter;
  for (;;) {
    if (const auto id = path_.offered(head, stamp_)) return std::bit_cast<UniqueId>(*id);
    if (!idle(waiter, formatText("rank {} to open a rendezvous", head))) continue;
    // A leader that was lost may have been followed by one whose decision came while its own was read.
    if (const int by = leader(); by != rank_ && path_.decision(by, stamp_ + 1)) return std::nullopt;
    if (path_.ballot(head, stamp_) == Ballot::State::Aborted) return std::nullopt;
    if (!isLost(head) || path_.offered(head, stamp_)) continue;
    if (!wish_.toleratesLosses) raise(Result::RemoteLost, "{}: {}", exchange_.identity().name, lossText());
    return std::nullopt;
  }
}

Regroup::Place Regroup::next() {
  for (;;) {
    const int by = leader();
    const std::optional<Assignment> assignment = assignmentBy(by);
    if (!assignment) continue;
    if (assignment->result != 0)
      raise(static_cast<Result>(assignment->result), "{}: {}", exchange_.identity().name, textFrom(assignment->text));
    known_ = assignment->lost;
    log::info({log::Subsystem::Init, exchange_.identity().whoText()},
              "split or shrink {}: decided by rank {}, {} ranks lost: {}", sequence_, by, known_,
              assignment->rank < 0 ? "in no new communicator"
                                   : formatText("rank {} of {}, rendezvous by rank {}", assignment->rank,
                                                assignment->nRanks, assignment->head));
    if (assignment->rank < 0) return {};
    if (const auto id = awaitId(assignment->head)) return {assignment->rank, assignment->nRanks, assignment->head, *id};
    if (path_.giveUp(assignment->head, stamp_); !mayRetry())
      raise(Result::RemoteLost, "{}: rank {} opened no rendezvous; see its error", exchange_.identity().name,
            assignment->head);
  }
}

std::ptrdiff_t Regroup::countLost() {
  std::ptrdiff_t count = 0;
  for (int rank = 0; rank < nRanks_; ++rank) count += !isExcluded(rank) && isLost(rank);
  return count;
}

void Regroup::watch(const Place& place) {
  if (wish_.toleratesLosses && countLost() > known_) raise(Result::RemoteLost, "{}", lossText());
  if (path_.ballot(place.head, stamp_) == Ballot::State::Aborted)
    raise(Result::RemoteLost, "{}: another rank could not join the new communicator; see its error",
          exchange_.identity().name);
}

bool Regroup::confirm(const Place& place, const std::function<std::optional<std::string>()>& lost) {
  faultPoint("regroup.joined");
  Ballot::State state = path_.confirm(place.head, stamp_, place.nRanks);
  faultPoint("regroup.confirmed");
  Waiter waiter;
  for (; state == Ballot::State::Open; state = path_.ballot(place.head, stamp_)) {
    const Waiter::Next next = waiter.idle();
    if (next == Waiter::Next::Again) continue;
    path_.service();
    if (deadline_.passed() && path_.giveUp(place.head, stamp_) == Ballot::State::Aborted)
      raise(Result::Timeout,
            "{}: deadline passed, waiting for all ranks to join the new communicator; raise "
            "init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
            exchange_.identity().name);
    if (lost()) path_.giveUp(place.head, stamp_);
    if (next == Waiter::Next::CheckPeersAndSleep) path_.sleep();
  }
  return state == Ballot::State::Committed;
}

bool Regroup::mayRetry() {
  // A dead member's connection breaks a moment before its end shows.
  for (int i = 0; i < 500 && wish_.toleratesLosses && countLost() <= known_; ++i) usleep(2000);
  return wish_.toleratesLosses && countLost() > known_ && !deadline_.passed();
}

}  // namespace ulysses
