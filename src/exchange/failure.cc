// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the exchange tells of itself: failures, peers and traced phases.
#include "exchange/exchange.h"
#include "plan/reproduction.h"

namespace ulysses {

/// The call as it can be run again by the tool, "" when it was never understood.
std::string Exchange::reproduce(const Pending& pending) const {
  if (!pending.call) return "";
  ReproMemory memory = ReproMemory::Unknown;
  if (identity_.nRanks > 1) memory = ReproMemory::Registered;
  for (int t = 0; t < pending.call->nTensors() && identity_.nRanks > 1; ++t)
    if (const Extent& extent = pending.call->inputExtent(t);
        extent.end > extent.begin && !path(peerAt(0)).mappable(peerAt(0), pending.refs[t]))
      memory = ReproMemory::Plain;
  return reproductionLine(pending.call->plan(), memory);
}

void Exchange::noteFailure(Result result, const Pending& pending, const std::string& text,
                           const std::string& reproduction) {
  recorder_.at(pending.sequence).result = result;
  lastError_ = text;
  failure_ = {.sequence = pending.sequence,
              .result = result,
              .text = text,
              .reproduction = reproduction,
              .absent = {},
              .unfinished = {}};
  const std::string who = identity_.whoText();
  log::info({log::Subsystem::Exchange, who}, "{}: {}", nameOf(result), text);
  if (!reproduction.empty())
    log::info({log::Subsystem::Exchange, who}, "op {} again: {}", pending.sequence, reproduction);
  if (result == Result::Mismatch && failureHook_) failureHook_();
}

/// This rank has just seen that the communicator is revoked; what is outstanding still shows how far it came.
void Exchange::noteRevocation(uint64_t sequence) {
  failure_ = {
      .sequence = sequence, .result = revoked_, .text = causeText_, .reproduction = {}, .absent = {}, .unfinished = {}};
  if (outstanding()) {
    const Pending& head = at(oldest_);
    failure_.sequence = head.sequence;
    failure_.reproduction = reproduce(head);
    for (int peer = 0; peer < identity_.nRanks; ++peer) {
      if (peer == identity_.rank || !isAwaited(head, peer)) continue;
      const bool called = path(peer).announcement(peer, head.sequence).has_value();
      (called ? failure_.unfinished : failure_.absent).push_back(peer);
    }
    for (uint64_t each = oldest_; each != next_; ++each) recorder_.at(each).result = revoked_;
  }
  const std::string who = identity_.whoText();
  log::info({log::Subsystem::Exchange, who}, "revoked by {}: {}", nameOf(revoked_), causeText_);
  if (!failure_.reproduction.empty())
    log::info({log::Subsystem::Exchange, who}, "op {} again: {}", failure_.sequence, failure_.reproduction);
  if (failureHook_) failureHook_();
}

std::vector<PeerView> Exchange::peerViews() const {
  std::vector<PeerView> views;
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    if (peer == identity_.rank) continue;
    Path& via = path(peer);
    const auto loss = via.lost(peer);
    views.push_back({peer, via.pidOf(peer), std::string(via.name()), via.reasonFor(peer),
                     loss ? "lost: " + *loss : via.describe(peer), via.lastSequence(peer)});
  }
  return views;
}

void Exchange::tracePhase(const char* phase, uint64_t sequence) const {
  const FlightEntry& entry = recorder_.at(sequence);
  log::trace({log::Subsystem::Exchange, identity_.whoText()}, "{} op {} {} after {:.1f} us, receives {} bytes{}{}",
             nameOf(entry.operation), sequence, phase, static_cast<double>(nowNs() - entry.startedNs) / 1000,
             entry.call.bytesReceived, entry.result == Result::InProgress ? "" : ": ",
             entry.result == Result::InProgress ? "" : nameOf(entry.result));
}

}  // namespace ulysses
