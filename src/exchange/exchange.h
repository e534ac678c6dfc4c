// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "exchange/flight_recorder.h"
#include "exchange/mover.h"
#include "exchange/waiter.h"

namespace ulysses {

/// Who this rank is, for messages.
struct Identity {
  std::string host;
  int pid = 0;
  int rank = 0, nRanks = 1;
  std::string name;  // of the communicator

  /// "rank 0/4 comm demo".
  std::string whoText() const { return formatText("rank {}/{} comm {}", rank, nRanks, name); }
};

/// The last call that failed: for the dump.
struct Failure {
  uint64_t sequence = 0;  // 0: none did
  Result result = Result::Success;
  std::string text;
  std::string reproduction;             // a line for the shell, "" when the call cannot be told
  std::vector<int> absent, unfinished;  // peers that had not called; that had, and had not finished
};

/// One peer as this rank sees it: for the dump.
struct PeerView {
  int rank;
  int pid;
  std::string path, reason, state;
  uint64_t lastSequence;
};

/// The text of a first cause as its communicator's rank tells it.
std::string textOf(const Cause& cause, int ownRank);

/// Runs the operations of one communicator at one rank, in the order they were started: announce, wait until all ranks
/// announced the same call, move, wait until all have finished reading. The protocol is in docs/algorithms.md. One
/// thread at a time. An error that concerns one call leaves it usable; a lost peer, a passed deadline or an abort
/// revokes the communicator at every rank, and the first cause is kept.
class Exchange {
 public:
  /// `paths[rank]` is null; the others are where each peer is reached. `streamBytes`: operations that receive more
  /// store around the cache. `ownCores`: there is a core for each rank of this host, see Waiter.
  Exchange(Identity identity, std::span<Path* const> paths, int64_t streamBytes, bool ownCores);

  /// Announces a call. On success *sequence names it. InvalidUsage: too many are outstanding.
  Result start(PreparedCall& call, const TensorMemory& memory, Deadline deadline, uint64_t* sequence);
  /// Announces that this rank's call is invalid, so that its peers fail at once; returns `result`, whose text it keeps.
  /// `reproduction`: the call as a line for the shell, where it can be told.
  Result poison(Operation operation, Result result, const std::string& text, Deadline deadline,
                const std::string& reproduction = {});
  /// Moves the oldest operation along; whether anything moved.
  bool advance();
  bool isDone(uint64_t sequence) const;
  /// The result of a done operation, which is forgotten. InvalidUsage for one that is not known.
  Result collect(uint64_t sequence);
  Result wait(uint64_t sequence);
  /// One step towards an operation's end, without waiting.
  void poll(uint64_t sequence);
  /// Nothing moved: wait a little, and look for trouble now and then. `maySleep`: not under a lock that others want.
  void idle(Waiter& waiter, bool maySleep);

  /// Notices lost peers, a revoked communicator and passed deadlines; costs system calls.
  void checkPeers();

  bool outstanding() const { return oldest_ != next_; }
  /// Success until the communicator was revoked.
  Result revokedBy();
  const std::string& lastError() const { return lastError_; }
  /// Of a failure that no operation of this exchange had.
  void noteError(const std::string& text) { lastError_ = text; }
  const Identity& identity() const { return identity_; }
  void revoke(Result result, const std::string& text);

  // --- for the dump; revoked() and cause() without a look at the peers
  const FlightRecorder& recorder() const { return recorder_; }
  uint64_t lastStarted() const { return next_ - 1; }
  const Failure& failure() const { return failure_; }
  Result revoked() const { return revoked_; }
  const std::string& cause() const { return causeText_; }
  std::vector<PeerView> peerViews() const;
  /// `hook` runs at the end of a call that was a Mismatch, and once when this rank sees that it is revoked.
  void onFailure(std::function<void()> hook) { failureHook_ = std::move(hook); }

 private:
  Pending& at(uint64_t sequence) { return ring_[sequence % kMaxOutstanding]; }
  const Pending& at(uint64_t sequence) const { return ring_[sequence % kMaxOutstanding]; }
  int peerAt(int step) const { return (identity_.rank + 1 + step) % identity_.nRanks; }
  Path& path(int peer) const { return *paths_[static_cast<size_t>(peer)]; }

  Path* revokedPath() const;
  Result claimSlot(Deadline deadline);
  std::string announceFailureText() const;
  std::string tardyText(int peer, uint64_t sequence) const;
  Result announce(Pending& pending, const Posting& posting);
  void describeTensors(Pending& pending);
  bool advanceAnnounced(Pending& head);
  bool advanceMoving(Pending& head);
  bool isSealed(const Pending& head);
  bool advanceClosing(Pending& head);
  void judge(Pending& head);
  bool judgePoison(Pending& head);
  void failByPoison(Pending& head, int peer);
  void lookForPoison(Pending& head);
  bool judgeAgreement(Pending& head);
  void beginMoving(Pending& head);
  void finish(Pending& head, Result result);
  void complete(Pending& head);
  void failAll();
  bool isAwaited(const Pending& head, int peer) const;
  void reportTimeout(const Pending& head);
  Result fail(Result result, const Pending& pending, const std::string& text);
  void noteFailure(Result result, const Pending& pending, const std::string& text, const std::string& reproduction);
  void noteRevocation(uint64_t sequence);
  std::string reproduce(const Pending& pending) const;
  void tracePhase(const char* phase, uint64_t sequence) const;
  /// For the recorder: the time now, or that of the phase before when this one cannot have taken long.
  int64_t timeAfter(bool waited, int64_t beforeNs) const {
    if (traces()) return nowNs();
    return waited ? coarseNs() : beforeNs;
  }
  bool traces() const { return log::traces(log::Subsystem::Exchange); }
  std::string prefix(const Pending& pending) const;

  Identity identity_;
  std::vector<Path*> paths_;
  std::vector<Path*> distinctPaths_;
  int64_t streamBytes_;
  bool ownCores_;
  Mover mover_;
  std::unique_ptr<SummandHashes> summandHashes_;  // null: ranks do not verify
  std::array<Pending, kMaxOutstanding> ring_;
  uint64_t oldest_ = 1, next_ = 1;           // [oldest_, next_) are not done
  int arrived_ = 0;                          // of the head: peers whose announcement came, from the next rank on
  int closed_ = 0;                           // of the head: peers that have finished
  std::vector<Announcement> announcements_;  // [nRanks] of the head
  std::vector<const TensorRef*> peerRefs_;   // [nRanks] of the head
  int64_t polledNs_ = 0;                     // when poll() last looked for trouble
  Result revoked_ = Result::Success;
  std::string causeText_;  // of revoked_
  Failure failure_;
  std::function<void()> failureHook_;
  FlightRecorder recorder_;
  std::string lastError_;
};

}  // namespace ulysses
