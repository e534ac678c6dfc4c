// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The part of the exchange that runs only when something is slow or wrong.
#include <unistd.h>

#include "base/text.h"
#include "exchange/exchange.h"

namespace ulysses {

void Exchange::idle(Waiter& waiter, bool maySleep) {
  const Waiter::Next next = waiter.idle();
  if (next == Waiter::Next::Again) return;
  checkPeers();
  if (next != Waiter::Next::CheckPeersAndSleep || !maySleep || revoked_ != Result::Success) return;
  constexpr useconds_t kNapUs = 100;  // no path wakes up for another one
  if (distinctPaths_.size() == 1)
    distinctPaths_.front()->sleep();
  else
    usleep(kNapUs);
}

void Exchange::poll(uint64_t sequence) {
  constexpr int64_t kLookNs = 1'000'000;  // looking costs system calls
  if (isDone(sequence) || advance()) return;
  const int64_t now = nowNs();
  if (now - polledNs_ < kLookNs) return;
  polledNs_ = now;
  checkPeers();
}

void Exchange::checkPeers() {
  if (revokedBy() != Result::Success) return failAll();
  for (Path* each : distinctPaths_) each->service();
  if (oldest_ == next_) return;
  Pending& head = at(oldest_);
  if (head.state == Pending::State::Announced) lookForPoison(head);
  if (head.state != Pending::State::Announced && head.state != Pending::State::Moving &&
      head.state != Pending::State::Closing)
    return;
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    if (peer == identity_.rank || !isAwaited(head, peer)) continue;
    const auto reason = path(peer).lost(peer);
    // Its last flags may have come between our look at them and its end.
    if (!reason || !isAwaited(head, peer)) continue;
    revoke(Result::RemoteLost,
           formatText("{}rank {} was lost: {}; destroy this communicator and make a new one without it", prefix(head),
                      peer, *reason));
    return failAll();
  }
  if (!head.deadline.passed()) return;
  reportTimeout(head);
  failAll();
}

/// A call that one rank could not make has failed, whether or not the others have called yet.
void Exchange::lookForPoison(Pending& head) {
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    if (peer == identity_.rank) continue;
    const auto came = path(peer).announcement(peer, head.sequence);
    if (came && came->poisoned) return failByPoison(head, peer);
  }
}

bool Exchange::isAwaited(const Pending& head, int peer) const {
  return !path(peer).announcement(peer, head.sequence) || !path(peer).finished(peer, head.sequence);
}

/// Names the ranks that did not call; only when all did, those that did not finish.
void Exchange::reportTimeout(const Pending& head) {
  std::string absent, unfinished;
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    if (peer == identity_.rank || !isAwaited(head, peer)) continue;
    const bool called = path(peer).announcement(peer, head.sequence).has_value();
    std::string& list = called ? unfinished : absent;
    list += formatText("{}rank {} ({}; {}, its last operation is {})", list.empty() ? "" : ", ", peer,
                       path(peer).describe(peer), called ? "called but did not finish" : "did not call",
                       path(peer).lastSequence(peer));
  }
  revoke(Result::Timeout,
         formatText("{}deadline passed, waiting for {}; look there, or raise timeout_ms (ULYSSES_TIMEOUT_MS)",
                    prefix(head), absent.empty() ? unfinished : absent));
}

std::string Exchange::announceFailureText() const {
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    if (peer == identity_.rank) continue;
    if (const auto reason = path(peer).lost(peer))
      return formatText("rank {} was lost: {}; destroy this communicator and make a new one without it", peer, *reason);
  }
  return "a peer takes no control messages although it lives; is it stopped? Destroy this communicator";
}

std::string Exchange::tardyText(int peer, uint64_t sequence) const {
  return formatText(
      "{}:{} rank {}/{} comm {}: deadline passed, waiting for rank {} ({}) to look at operation {}, which failed",
      identity_.host, identity_.pid, identity_.rank, identity_.nRanks, identity_.name, peer, path(peer).describe(peer),
      sequence);
}

std::string textOf(const Cause& cause, int ownRank) {
  const bool own = cause.rank == ownRank || cause.rank < 0;
  return own ? textFrom(cause.text) : formatText("{} [found by rank {}]", textFrom(cause.text), cause.rank);
}

/// The first path over which the communicator was revoked, or null.
Path* Exchange::revokedPath() const {
  for (Path* each : distinctPaths_)
    if (each->isRevoked()) return each;
  return nullptr;
}

/// A cause that came over one path goes on over the others: its finder may have died before it told everyone.
Result Exchange::revokedBy() {
  if (revoked_ != Result::Success) return revoked_;
  Path* const by = revokedPath();
  if (!by) return revoked_;
  const Cause cause = by->cause();
  for (Path* each : distinctPaths_)
    if (each != by) each->revoke(cause);
  for (Path* each : distinctPaths_) each->service();  // sends it on; this rank may not call again
  revoked_ = static_cast<Result>(cause.result);
  causeText_ = textOf(cause, identity_.rank);
  noteRevocation(cause.sequence);
  return revoked_;
}

void Exchange::revoke(Result result, const std::string& text) {
  Cause cause{.result = static_cast<int32_t>(result), .rank = identity_.rank, .sequence = oldest_};
  copyText(cause.text, text);
  for (Path* each : distinctPaths_) each->revoke(cause);
  if (distinctPaths_.empty()) {
    revoked_ = result;
    causeText_ = text;
    noteRevocation(oldest_);
  }
  (void)revokedBy();
}

void Exchange::failAll() {
  if (revokedBy() == Result::Success) return;
  if (oldest_ != next_)
    for (Path* each : distinctPaths_) each->letGo();
  while (oldest_ != next_) {
    at(oldest_).result = revoked_;
    complete(at(oldest_));
  }
}

Result Exchange::fail(Result result, const Pending& pending, const std::string& text) {
  noteFailure(result, pending, prefix(pending) + text, reproduce(pending));
  return result;
}

std::string Exchange::prefix(const Pending& pending) const {
  return formatText("{}:{} rank {}/{} comm {} {} op {}: ", identity_.host, identity_.pid, identity_.rank,
                    identity_.nRanks, identity_.name, nameOf(pending.operation), pending.sequence);
}

}  // namespace ulysses
