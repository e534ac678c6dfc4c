// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange/exchange.h"

#include <algorithm>

#include "base/check.h"
#include "base/checks.h"
#include "base/fault_point.h"
#include "base/text.h"
#include "exchange/mismatch.h"

namespace ulysses {

Exchange::Exchange(Identity identity, std::span<Path* const> paths, int64_t streamBytes, bool ownCores)
    : identity_(std::move(identity)),
      paths_(paths.begin(), paths.end()),
      streamBytes_(streamBytes),
      ownCores_(ownCores),
      mover_(identity_.rank, paths),
      announcements_(paths.size()),
      peerRefs_(paths.size()) {
  for (Path* each : paths_)
    if (each && std::find(distinctPaths_.begin(), distinctPaths_.end(), each) == distinctPaths_.end())
      distinctPaths_.push_back(each);
  if (faultPoint("exchange.numbers")) {  // fail: operations are numbered as after 2^32 - 21 of them
    oldest_ = next_ = (uint64_t{1} << 32) - 20;
    for (Path* each : distinctPaths_) each->finish(oldest_ - 1);
  }
  if (distinctPaths_.empty() || !distinctPaths_.front()->verifies()) return;
  summandHashes_ = std::make_unique<SummandHashes>(identity_.nRanks);
  mover_.hashSummandsInto(summandHashes_.get());
}

/// The ring's next slot must be free here, and its announcement read by every peer, before it is written again. Only
/// failed operations end before their peers have read them, so this waits after errors at most.
Result Exchange::claimSlot(Deadline deadline) {
  if (revokedBy() != Result::Success) {
    lastError_ = causeText_;
    return revoked_;
  }
  if (at(next_).state != Pending::State::Idle) {
    lastError_ =
        formatText("{} operations are outstanding on communicator {}, the most it holds: wait for request {} first",
                   kMaxOutstanding, identity_.name, at(next_).sequence);
    return Result::InvalidUsage;
  }
  if (next_ <= kMaxOutstanding) return Result::Success;
  const uint64_t before = next_ - kMaxOutstanding;
  Waiter waiter(ownCores_);
  for (int i = 0; i < identity_.nRanks - 1;) {
    if (path(peerAt(i)).slotFree(peerAt(i), before)) {
      ++i;
      continue;
    }
    if (!advance()) idle(waiter, true);
    if (deadline.passed()) revoke(Result::Timeout, tardyText(peerAt(i), before));
    if (revokedBy() != Result::Success) {
      lastError_ = causeText_;
      return revoked_;
    }
  }
  return Result::Success;
}

/// The recorder's lines are seldom in a near cache: they are written after the announcement, which would else stand
/// behind them in the core's queue of stores.
Result Exchange::announce(Pending& pending, const Posting& posting) {
  faultPoint("op.announcing");
  const int64_t startedNs = traces() ? nowNs() : pending.deadline.madeNs();
  Result sent = Result::Success;
  for (Path* each : distinctPaths_)
    if (sent == Result::Success) sent = each->publish(posting, pending.deadline);
  recorder_.start(pending.sequence, pending.operation, pending.call ? pending.call->summary() : CallSummary{},
                  startedNs);
  if (sent == Result::Success) return sent;
  revoke(sent, prefix(pending) + announceFailureText());
  recorder_.at(pending.sequence).result = revoked_;
  lastError_ = causeText_;
  return revoked_;
}

void Exchange::describeTensors(Pending& pending) {
  const PreparedCall& call = *pending.call;
  bool stages = false;
  for (int t = 0; t < call.nTensors(); ++t) {
    pending.refs[t] = {};
    if (distinctPaths_.empty()) continue;
    const Extent& extent = call.inputExtent(t);
    for (Path* each : distinctPaths_)  // one of them knows places, the others send copies
      if (const TensorRef ref = each->locate(pending.memory.input[t], extent); ref.address != 0) pending.refs[t] = ref;
    for (int peer = 0; peer < identity_.nRanks && extent.end > extent.begin; ++peer) {
      if (peer == identity_.rank || path(peer).mappable(peer, pending.refs[t])) continue;
      stages = true;
      const int64_t rowBytes = call.plan().tensors()[static_cast<size_t>(t)].rowBytes();
      require(rowBytes <= path(peer).chunkBytes(),
              "tensors[{}]: a row of headDim is {} bytes, a chunk to rank {} by {} {}; raise staging_bytes "
              "(ULYSSES_STAGING_BYTES) {}-fold{}",
              t, rowBytes, peer, path(peer).name(), path(peer).chunkBytes(), rowBytes / path(peer).chunkBytes() + 1,
              path(peer).name() == "shm" ? ", or use ulyssesMemAlloc" : "; chunks between hosts end at 256 KiB");
      break;
    }
  }
  if (stages || call.streams().passesOn())
    for (Path* each : distinctPaths_) each->prepareStaging();
}

Result Exchange::start(PreparedCall& call, const TensorMemory& memory, Deadline deadline, uint64_t* sequence) {
  if (const Result claimed = claimSlot(deadline); claimed != Result::Success) return claimed;
  Pending& pending = at(next_);
  pending.call = &call;
  pending.operation = call.plan().operation();
  pending.deadline = deadline;
  pending.memory = memory;
  pending.sequence = next_;
  pending.abandoned = false;
  pending.store = call.plan().bytesReceived() > streamBytes_ ? kernels::Store::Streaming : kernels::Store::Cached;
  try {
    describeTensors(pending);
    if (summandHashes_) sealInputs(call, pending.memory.input, pending.seals);
  } catch (const Error& error) {
    return poison(pending.operation, error.result(), error.what(), deadline, reproduce(pending));
  }
  const Geometry& g = call.plan().geometry();
  const Posting posting{.sequence = next_,
                        .callHash = call.callHash(),
                        .strideHash = call.strideHash(),
                        .recordId = call.recordId(),
                        .record = &call.record(),
                        .tokens = g.tokens,
                        .queryHeads = g.queryHeads,
                        .tensors = std::span(pending.refs).first(static_cast<size_t>(call.nTensors())),
                        .seals = pending.seals};
  if (const Result sent = announce(pending, posting); sent != Result::Success) return sent;
  faultPoint("op.announced");
  if (traces()) tracePhase("announced", next_);
  pending.state = Pending::State::Announced;
  ++call.pins;
  *sequence = next_++;
  return Result::Success;
}

Result Exchange::poison(Operation operation, Result result, const std::string& text, Deadline deadline,
                        const std::string& reproduction) {
  if (const Result claimed = claimSlot(deadline); claimed != Result::Success) return claimed;
  Pending& pending = at(next_);
  pending.call = nullptr;
  pending.operation = operation;
  pending.deadline = deadline;
  pending.sequence = next_;
  pending.abandoned = true;
  CallRecord record;
  record.operation = static_cast<int32_t>(operation);
  record.poison = static_cast<int32_t>(result);
  copyText(record.poisonText, text);
  Posting posting;
  posting.sequence = next_;
  posting.recordId = ~next_;  // never taken for the record of a prepared call, whose ids count up from 1
  posting.record = &record;
  if (const Result sent = announce(pending, posting); sent != Result::Success) return sent;
  pending.state = Pending::State::Announced;
  ++next_;
  advance();
  noteFailure(result, pending, prefix(pending) + text, reproduction);
  return result;
}

bool Exchange::advance() {
  if (oldest_ == next_) return false;
  Pending& head = at(oldest_);
  switch (head.state) {
    case Pending::State::Announced:
      return advanceAnnounced(head);
    case Pending::State::Moving:
      return advanceMoving(head);
    case Pending::State::Closing:
      return advanceClosing(head);
    case Pending::State::Idle:
    case Pending::State::Done:
      break;
  }
  return false;
}

bool Exchange::advanceAnnounced(Pending& head) {
  if (!head.call) {  // poisoned here: nothing of the peers is wanted
    finish(head, Result::InvalidArgument);
    complete(head);
    return true;
  }
  const int before = arrived_;
  while (arrived_ < identity_.nRanks - 1) {
    const int peer = peerAt(arrived_);
    const auto came = path(peer).announcement(peer, head.sequence);
    if (!came) {
      recorder_.at(head.sequence).lateCalls |= FlightRecorder::bitOf(peer);
      return arrived_ != before;
    }
    announcements_[static_cast<size_t>(peer)] = *came;
    ++arrived_;
  }
  judge(head);
  return true;
}

/// All ranks announced this operation. Each judges the same announcements by the same rules, so all agree.
void Exchange::judge(Pending& head) {
  try {
    if ((kChecks && judgePoison(head)) || judgeAgreement(head)) return;
    beginMoving(head);
  } catch (const std::exception& error) {
    revoke(Result::SystemError, prefix(head) + error.what());
    failAll();
  }
}

bool Exchange::judgePoison(Pending& head) {
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    if (peer == identity_.rank || !announcements_[static_cast<size_t>(peer)].poisoned) continue;
    failByPoison(head, peer);
    return true;
  }
  return false;
}

void Exchange::failByPoison(Pending& head, int peer) {
  const CallRecord& record = path(peer).record(peer, head.sequence);
  finish(head, fail(Result::RemoteInvalid, head,
                    formatText("rank {} made an invalid call ({}): {}", peer,
                               nameOf(static_cast<Result>(record.poison)), textFrom(record.poisonText))));
  complete(head);
}

bool Exchange::judgeAgreement(Pending& head) {
  bool differs = false, unbound = false;
  for (int i = 0; i < identity_.nRanks - 1; ++i) {
    const int peer = peerAt(i);
    const Announcement& a = announcements_[static_cast<size_t>(peer)];
    if constexpr (kChecks) differs |= a.callHash != head.call->callHash();
    unbound |= !head.call->isBound(peer, a.strideHash);
  }
  if (!differs && !unbound) return false;
  const auto callOf = [&](int rank) {
    const bool own = rank == identity_.rank;
    Path* via = own ? distinctPaths_.front() : &path(rank);
    return AnnouncedCall{rank, own ? &head.call->record() : &via->record(rank, head.sequence), via, head.sequence};
  };
  // Pairs in one order at every rank, so that all name the same difference.
  for (int a = 0; a < identity_.nRanks; ++a)
    for (int b = a + 1; b < identity_.nRanks; ++b)
      if (const auto difference = firstDifference(callOf(a), callOf(b), identity_.nRanks)) {
        finish(head, fail(Result::Mismatch, head, *difference));
        complete(head);
        return true;
      }
  for (int i = 0; i < identity_.nRanks - 1; ++i) {
    const int peer = peerAt(i);
    head.call->bind(peer, announcements_[static_cast<size_t>(peer)].strideHash, path(peer).record(peer, head.sequence));
  }
  head.call->findInterleaved();
  return false;
}

void Exchange::beginMoving(Pending& head) {
  faultPoint("op.agreed");
  for (int peer = 0; peer < identity_.nRanks; ++peer)
    peerRefs_[static_cast<size_t>(peer)] =
        peer == identity_.rank ? head.refs : announcements_[static_cast<size_t>(peer)].tensors;
  FlightEntry& entry = recorder_.at(head.sequence);
  entry.agreedNs = timeAfter(entry.lateCalls != 0, entry.startedNs);
  entry.phase = Phase::Agreed;
  if (traces()) tracePhase("agreed", head.sequence);
  if (summandHashes_) summandHashes_->reset(head.call->plan().receives().size());
  mover_.begin(head, peerRefs_);
  head.state = Pending::State::Moving;
}

bool Exchange::advanceMoving(Pending& head) {
  const bool moved = mover_.step();
  if (!mover_.done()) {
    recorder_.at(head.sequence).waitedToMove |= !moved;
    return moved;
  }
  faultPoint("op.moved");
  if (head.store == kernels::Store::Streaming) kernels::fence();
  FlightEntry& entry = recorder_.at(head.sequence);
  constexpr int64_t kQuickBytes = 256 << 10;  // moved in far less than a tick
  entry.movedNs = timeAfter(entry.waitedToMove || entry.call.bytesReceived > kQuickBytes, entry.agreedNs);
  entry.phase = Phase::Moved;
  if (traces()) tracePhase("moved", head.sequence);
  if (!summandHashes_ || isSealed(head)) finish(head, Result::Success);
  return true;
}

/// Whether what arrived is what was announced; else the communicator is over: who knows what else is wrong.
bool Exchange::isSealed(const Pending& head) {
  for (int peer = 0; peer < identity_.nRanks; ++peer) {
    const size_t p = static_cast<size_t>(peer);
    const uint64_t* seals = peer == identity_.rank ? head.seals.data() + p * kSeals : announcements_[p].seals;
    const auto damage = damageFrom(peer, seals, head, mover_, *summandHashes_);
    if (!damage) continue;
    revoke(Result::Corrupted, prefix(head) + *damage);
    failAll();
    return false;
  }
  return true;
}

/// This rank wants nothing more of its peers for the head operation.
void Exchange::finish(Pending& head, Result result) {
  head.result = result;
  head.state = Pending::State::Closing;
  for (Path* each : distinctPaths_) each->finish(head.sequence);
}

bool Exchange::advanceClosing(Pending& head) {
  const int before = closed_;
  while (closed_ < identity_.nRanks - 1) {
    const int peer = peerAt(closed_);
    if (!path(peer).finished(peer, head.sequence)) {
      recorder_.at(head.sequence).lateEnds |= FlightRecorder::bitOf(peer);
      return closed_ != before;
    }
    ++closed_;
  }
  // A peer that gave up may have let its inputs change while they were read: it revoked first, so look after the bytes.
  if (revokedPath()) {
    failAll();
    return true;
  }
  faultPoint("op.closed");
  recorder_.at(head.sequence).phase = Phase::Closed;
  complete(head);
  return true;
}

void Exchange::complete(Pending& head) {
  FlightEntry& entry = recorder_.at(head.sequence);
  entry.endedNs = timeAfter(entry.lateEnds != 0 || entry.movedNs == 0, entry.movedNs);
  entry.result = head.result;
  if (traces()) tracePhase(entry.phase == Phase::Closed ? "closed" : "ended", head.sequence);
  if (head.call) --head.call->pins;
  head.state = head.abandoned ? Pending::State::Idle : Pending::State::Done;
  ++oldest_;
  arrived_ = closed_ = 0;
}

bool Exchange::isDone(uint64_t sequence) const {
  const Pending& pending = at(sequence);
  return pending.sequence != sequence || pending.state == Pending::State::Done || pending.state == Pending::State::Idle;
}

Result Exchange::collect(uint64_t sequence) {
  Pending& pending = at(sequence);
  if (pending.sequence != sequence || pending.state != Pending::State::Done) {
    lastError_ = formatText("request {} of communicator {} is not outstanding", sequence, identity_.name);
    return Result::InvalidUsage;
  }
  pending.state = Pending::State::Idle;
  if (pending.result != Result::Success && pending.result == revoked_) lastError_ = causeText_;
  return pending.result;
}

Result Exchange::wait(uint64_t sequence) {
  Waiter waiter(ownCores_);
  while (!isDone(sequence)) {
    if (advance())
      waiter.reset();
    else
      idle(waiter, true);
  }
  return collect(sequence);
}

}  // namespace ulysses
