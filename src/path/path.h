// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "path/council.h"
#include "path/record.h"
#include "plan/extent.h"

namespace ulysses {

/// One operation as its rank announces it.
struct Posting {
  uint64_t sequence = 0;
  uint64_t callHash = 0;    // of what must agree
  uint64_t strideHash = 0;  // of the input strides, which may differ
  uint64_t recordId = 0;    // same id: same record and arrays as before
  const CallRecord* record = nullptr;
  std::span<const int64_t> tokens, queryHeads;
  std::span<const TensorRef> tensors;
  std::span<const uint64_t> seals;  // [nRanks][kSeals] of what each rank gets; empty unless the path verifies
};

/// A peer's announcement, valid until this rank has finished the operation.
struct Announcement {
  uint64_t callHash, strideHash;
  bool poisoned;
  const TensorRef* tensors;
  const uint64_t* seals;  // [kSeals] of what this rank gets; null unless the path verifies
};

/// A file descriptor that a rank passes to its peers.
struct PassedFd {
  uint64_t batch;  // those that a peer takes together; greater for later ones
  uint64_t bytes;  // of what it stands for
  UniqueFd fd;     // none: this process had no room for it
};

/// One wire between this rank and some peers: announcements and completion, and the bytes, which a peer either reads in
/// place (map) or gets as a stream of chunks. Executes nothing of a plan itself. One thread at a time; the functions of
/// the data path do not throw, block or allocate once every segment in use has been seen.
class Path {
 public:
  virtual ~Path() = default;
  virtual std::string_view name() const noexcept = 0;
  /// Why this path joins this rank and the peer, in words.
  virtual std::string reasonFor(int peer) const = 0;

  /// Whether announcements carry seals, which receivers check; one answer for the group.
  virtual bool verifies() const noexcept { return false; }

  // --- announcements and completion
  /// Where peers find this tensor; `extent` is relative to `pointer`.
  virtual TensorRef locate(const void* pointer, const Extent& extent) = 0;
  /// May send control messages about new segments first; blocks at most until the deadline.
  virtual Result publish(const Posting& posting, Deadline deadline) noexcept = 0;
  /// The peer's announcement of that operation, or nothing yet.
  virtual std::optional<Announcement> announcement(int peer, uint64_t sequence) noexcept = 0;
  virtual const CallRecord& record(int peer, uint64_t sequence) const noexcept = 0;
  virtual int64_t tokensOf(int peer, uint64_t sequence, int index) const noexcept = 0;
  virtual int64_t queryHeadsOf(int peer, uint64_t sequence, int index) const noexcept = 0;
  /// The last operation the peer announced, for messages.
  virtual uint64_t lastSequence(int peer) const noexcept = 0;
  /// This rank has read all it needs of every operation up to `sequence`.
  virtual void finish(uint64_t sequence) noexcept = 0;
  /// Whether the peer reads no input of that operation any more and owes this rank nothing of it. A path that sends
  /// copies can say so on its own, without a word of the peer.
  virtual bool finished(int peer, uint64_t sequence) const noexcept = 0;
  /// Whether the peer has room for another announcement in place of that operation's. Asked before `sequence` +
  /// kMaxOutstanding is published.
  virtual bool slotFree(int peer, uint64_t sequence) const noexcept = 0;

  /// For new communicators of this one's ranks; also after it was revoked.
  virtual Council& council() noexcept = 0;

  // --- bytes
  /// Whether a tensor at `ref` can be read in place between this rank and the peer; same answer at both ends.
  virtual bool mappable(int peer, const TensorRef& ref) const noexcept = 0;
  /// The peer's tensor in this process, its extent checked. Throws Error when it cannot be had; set-up of a segment
  /// seen for the first time, a look-up afterwards.
  virtual const std::byte* map(int peer, const TensorRef& ref, const Extent& extent) = 0;
  /// The peer stages in the operation that begins. Throws Error when its chunks cannot be read here.
  virtual void requireChunks(int peer) = 0;
  /// Bytes of a chunk; the same for all peers.
  virtual int64_t chunkBytes() const noexcept = 0;
  /// Room for a chunk to the peer, or empty while none is free.
  virtual std::span<std::byte> chunkTo(int peer) noexcept = 0;
  /// Sends the chunk that chunkTo gave; only its first `bytes` are needed at the other end.
  virtual void sendChunk(int peer, int64_t bytes) noexcept = 0;
  /// Whether sendFrom spares a copy for so many bytes.
  virtual bool sendsInPlace(int64_t) const noexcept { return false; }
  /// Sends a chunk that lies in the caller's memory, in place of chunkTo and sendChunk; false while there is no room
  /// for it. The memory is read until the operation is finished() at the peer, or letGo returns.
  virtual bool sendFrom(int, std::span<const std::byte>) noexcept { return false; }
  /// Operations failed: callers may take back their memory. Waits a moment for the peers to take what was sent from it;
  /// one that does not is lost.
  virtual void letGo() noexcept {}
  /// The next chunk from the peer, at least as many bytes as it sent, or empty while none came.
  virtual std::span<const std::byte> chunkFrom(int peer) noexcept = 0;
  virtual void releaseChunk(int peer) noexcept = 0;
  /// Makes chunkTo usable; called before an operation that stages is published. May throw Error.
  virtual void prepareStaging() = 0;

  // --- descriptors
  /// Most of a batch: they take room in the sockets, and in the tables of all processes, until they are taken.
  static constexpr size_t kMostPassed = 16;
  /// Sends them to all peers just before the next operation is published; each has them once it has that announcement.
  virtual void pass(std::vector<PassedFd>&& /*fds*/) {
    raise(Result::NotSupported, "path {} passes no descriptors", name());
  }
  /// What came of that batch of the peer's, in order. Those of smaller numbers are closed, and what still comes of this
  /// or a smaller one; those of greater ones, which a peer may have sent since, stay.
  virtual std::vector<PassedFd> takePassed(int /*peer*/, uint64_t /*batch*/) { return {}; }

  // --- trouble
  /// Called now and then while this rank waits: takes in what peers sent, so that they are not held up.
  virtual void service() noexcept {}
  /// Sleeps until a peer may have done something, at most a few milliseconds.
  virtual void sleep() noexcept = 0;
  /// Why the peer will not answer any more, or nothing while it may.
  virtual std::optional<std::string> lost(int peer) = 0;
  virtual bool isRevoked() const noexcept = 0;
  /// Makes the communicator unusable at every rank; the first cause is kept.
  virtual void revoke(const Cause& cause) noexcept = 0;
  virtual Cause cause() const noexcept = 0;
  /// The peer's process, for messages.
  virtual int pidOf(int peer) const noexcept = 0;
  /// What is known of a silent peer ("stopped", "running"), for messages.
  virtual std::string describe(int peer) const = 0;
};

}  // namespace ulysses
