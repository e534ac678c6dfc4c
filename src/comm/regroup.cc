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

constexpr uint64_t kStampsPerSequence = 1 << 20;  // decisions of one split or shrink: each leader's, one for each loss

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

Regroup::Regroup(Parent parent, Wish wish, uint64_t sequence, Deadline deadline)
    : parent_(parent),
      council_(parent.routes, parent.identity.rank),
      wish_(std::move(wish)),
      sequence_(sequence),
      stamp_(sequence * kStampsPerSequence),
      deadline_(deadline),
      rank_(parent.identity.rank),
      nRanks_(parent.identity.nRanks),
      lost_(static_cast<size_t>(nRanks_)) {
  council_.propose({sequence_, wish_.color, wish_.key, hashOf(wish_.excluded)});
  faultPoint("regroup.proposed");
}

Regroup::~Regroup() {
  constexpr int64_t kLingerMs = 1000;
  const Deadline linger = Deadline::inMs(kLingerMs);
  for (service(); !council_.hasTold() && !linger.passed(); service()) sleep();
}

void Regroup::service() {
  for (const auto& path : parent_.routes.paths) path->service();
}

void Regroup::sleep() {
  constexpr useconds_t kNapUs = 100;  // no path wakes up for another one
  if (parent_.routes.paths.size() == 1)
    parent_.routes.paths.front()->sleep();
  else
    usleep(kNapUs);
}

bool Regroup::isExcluded(int rank) const { return std::ranges::find(wish_.excluded, rank) != wish_.excluded.end(); }

/// Once lost, always lost.
bool Regroup::isLost(int rank) {
  std::string& lost = lost_[static_cast<size_t>(rank)];
  if (lost.empty() && rank != rank_) lost = parent_.routes.byRank[static_cast<size_t>(rank)]->lost(rank).value_or("");
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
    if (rank != rank_ && !isExcluded(rank) && !council_.proposal(rank, sequence_) && !isLost(rank))
      ranks.push_back(rank);
  return ranks;
}

/// Nothing came: waits a little. Whether it is time to look whether the others live; throws at the deadline.
bool Regroup::idle(Waiter& waiter, const std::string& waitingFor) {
  const Waiter::Next next = waiter.idle();
  if (next == Waiter::Next::Again) return false;
  service();
  if (deadline_.passed())
    raise(Result::Timeout, "{}: deadline passed, waiting for {}; all ranks must call it, or raise init_timeout_ms",
          parent_.identity.name, waitingFor);
  if (next == Waiter::Next::CheckPeersAndSleep) sleep();
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
    if (const auto decided = council_.decision(from, stamp_ + 1)) {
      stamp_ = decided->second;
      return decided->first;
    }
    // Whoever has decided may leave this communicator at once: look at its decision after its end.
    if (idle(waiter, formatText("rank {} to decide", from)) && isOut(from) && !council_.decision(from, stamp_ + 1))
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
    const Proposal proposal = council_.proposal(rank, sequence_).value();
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
  // Newer than whatever an earlier leader, which is of a lower rank, decided before it was lost: some may have seen it.
  for (int rank = 0; rank < nRanks_; ++rank)
    if (const auto earlier = council_.decision(rank, stamp_ + 1)) stamp_ = earlier->second;
  const uint64_t first = sequence_ * kStampsPerSequence,
                 perLeader = kStampsPerSequence / static_cast<uint64_t>(nRanks_);
  stamp_ = std::max(stamp_ + 1, first + static_cast<uint64_t>(rank_) * perLeader);
  faultPoint("regroup.deciding");
  council_.decide(assignments, stamp_);
  faultPoint("regroup.decided");
  return assignments[static_cast<size_t>(rank_)];
}

/// The id with its secret hidden from whoever listens between the hosts; of one that is hidden, the id.
UniqueId Regroup::veiled(UniqueId id, int head) const {
  const Proof veil = hmac(parent_.secret, "ulysses regroup", {bytesOf(stamp_), bytesOf(head)});
  static_assert(sizeof veil == sizeof id.secret);
  for (size_t i = 0; i < veil.size(); ++i) id.secret[i] ^= veil[i];
  return id;
}

UniqueId Regroup::offerId() {
  try {
    const UniqueId id = openRendezvous(parent_.listenAddress, &serving_);
    council_.offer(std::bit_cast<IdBytes>(veiled(id, rank_)), stamp_);
    faultPoint("regroup.offered");
    return id;
  } catch (...) {
    council_.giveUp(rank_, stamp_);
    serving_.stop();
    throw;
  }
}

/// Of the group that `head` heads; nothing when it was lost before it offered one. Whoever offers lives until all of
/// the group have joined, since it joins too.
std::optional<UniqueId> Regroup::awaitId(int head) {
  if (head == rank_) return offerId();
  Waiter waiter;
  for (;;) {
    if (const auto id = council_.offered(head, stamp_)) return veiled(std::bit_cast<UniqueId>(*id), head);
    if (!idle(waiter, formatText("rank {} to open a rendezvous", head))) continue;
    // A leader that was lost may have been followed by one whose decision came while its own was read.
    if (const int by = leader(); by != rank_ && council_.decision(by, stamp_ + 1)) return std::nullopt;
    if (council_.ballot(head, stamp_) == Ballot::State::Aborted) return std::nullopt;
    if (!isLost(head) || council_.offered(head, stamp_)) continue;
    if (!wish_.toleratesLosses) raise(Result::RemoteLost, "{}: {}", parent_.identity.name, lossText());
    return std::nullopt;
  }
}

Regroup::Place Regroup::next() {
  for (;;) {
    const int by = leader();
    const std::optional<Assignment> assignment = assignmentBy(by);
    if (!assignment) continue;
    if (assignment->result != 0)
      raise(static_cast<Result>(assignment->result), "{}: {}", parent_.identity.name, textFrom(assignment->text));
    known_ = assignment->lost;
    log::info({log::Subsystem::Init, parent_.identity.whoText()},
              "split or shrink {}: decided by rank {}, {} ranks lost: {}", sequence_, by, known_,
              assignment->rank < 0 ? "in no new communicator"
                                   : formatText("rank {} of {}, rendezvous by rank {}", assignment->rank,
                                                assignment->nRanks, assignment->head));
    if (assignment->rank < 0) return {};
    if (const auto id = awaitId(assignment->head)) return {assignment->rank, assignment->nRanks, assignment->head, *id};
    if (council_.giveUp(assignment->head, stamp_); !mayRetry())
      raise(Result::RemoteLost, "{}: rank {} opened no rendezvous; see its error", parent_.identity.name,
            assignment->head);
  }
}

std::ptrdiff_t Regroup::countLost() {
  std::ptrdiff_t count = 0;
  for (int rank = 0; rank < nRanks_; ++rank) count += !isExcluded(rank) && isLost(rank);
  return count;
}

/// Whether a rank was lost that the group counts on. A shrink's is of all that the leader had not known to be lost.
bool Regroup::isNewsOfLoss() {
  if (wish_.toleratesLosses) return countLost() > known_;
  for (int rank = 0; rank < nRanks_; ++rank) {
    const auto proposal = council_.proposal(rank, sequence_);
    if (proposal && proposal->color == wish_.color && isLost(rank)) return true;
  }
  return false;
}

void Regroup::watch(const Place& place) {
  service();
  if (isNewsOfLoss()) raise(Result::RemoteLost, "{}", lossText());
  if (council_.ballot(place.head, stamp_) == Ballot::State::Aborted)
    raise(Result::RemoteLost, "{}: another rank could not join the new communicator; see its error",
          parent_.identity.name);
}

bool Regroup::confirm(const Place& place, const std::function<std::optional<std::string>()>& lost) {
  faultPoint("regroup.joined");
  Ballot::State state = council_.confirm(place.head, stamp_, place.nRanks);
  faultPoint("regroup.confirmed");
  Waiter waiter;
  for (; state == Ballot::State::Open; state = council_.ballot(place.head, stamp_)) {
    const Waiter::Next next = waiter.idle();
    if (next == Waiter::Next::Again) continue;
    service();
    if (deadline_.passed() && council_.giveUp(place.head, stamp_) != Ballot::State::Committed)
      raise(Result::Timeout,
            "{}: deadline passed, waiting for all ranks to join the new communicator; raise "
            "init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
            parent_.identity.name);
    if (lost() || isNewsOfLoss()) council_.giveUp(place.head, stamp_);
    if (next == Waiter::Next::CheckPeersAndSleep) sleep();
  }
  return state == Ballot::State::Committed;
}

bool Regroup::mayRetry() {
  // A dead member's connection breaks a moment before its end shows.
  for (int i = 0; i < 500 && wish_.toleratesLosses && countLost() <= known_; ++i) usleep(2000);
  return wish_.toleratesLosses && countLost() > known_ && !deadline_.passed();
}

}  // namespace ulysses
