// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <vector>

#include "path/board_path.h"
#include "path/shm/fd_message.h"
#include "path/shm/peer.h"
#include "path/shm/segment.h"

namespace ulysses {

/// Ranks of one host. Peers read tensors in registered segments in place; private tensors go through a window of two
/// chunks per peer, which is a segment of the sender's.
class ShmPath final : public BoardPath {
 public:
  /// `peers` is indexed by rank; the entries of this rank and of ranks of other hosts are null. `ranks`: see BoardPath.
  ShmPath(std::shared_ptr<Mapping> boardMemory, int rank, std::vector<std::unique_ptr<ShmPeer>> peers,
          std::span<const int> ranks = {});
  ~ShmPath() override;

  /// Bytes of a chunk when that many ranks of a host divide a window of `stagingBytes` each.
  static int64_t chunkBytesFor(int64_t stagingBytes, int nSeats);
  /// The window that gives such chunks.
  static int64_t stagingBytesFor(int64_t chunkBytes, int nSeats) {
    return chunkBytes * static_cast<int64_t>(kHalves) * (nSeats > 1 ? nSeats - 1 : 1);
  }

  const ShmPeer* peerOf(int rank) const noexcept { return peers_[static_cast<size_t>(rank)].get(); }

  std::string_view name() const noexcept override { return "shm"; }
  std::string reasonFor(int peer) const override;

  TensorRef locate(const void* pointer, const Extent& extent) override;
  bool mappable(int peer, const TensorRef& ref) const noexcept override;
  const std::byte* map(int peer, const TensorRef& ref, const Extent& extent) override;

  void requireChunks(int from) override { peer(from).requireWindow(); }
  int64_t chunkBytes() const noexcept override { return chunkBytes_; }
  std::span<std::byte> chunkTo(int peer) noexcept override;
  void sendChunk(int peer, int64_t bytes) noexcept override;
  std::span<const std::byte> chunkFrom(int peer) noexcept override;
  void releaseChunk(int peer) noexcept override;
  void prepareStaging() override;

  void pass(std::vector<PassedFd>&& fds) override { passing_ = std::move(fds); }
  std::vector<PassedFd> takePassed(int peer, uint64_t batch) override;

  void service() noexcept override;
  std::optional<std::string> lost(int peer) override;
  int pidOf(int of) const noexcept override { return peer(of).pid(); }
  std::string describe(int peer) const override;

 protected:
  Result sendControl(std::span<const TensorRef> refs, Deadline deadline, uint32_t& messages) noexcept override;
  void receiveControl(int peer, uint32_t messages) noexcept override;

 private:
  static constexpr uint64_t kHalves = 2;  // one chunk is filled while the other is read

  ShmPeer& peer(int rank) const noexcept { return *peers_[static_cast<size_t>(rank)]; }
  /// Offset of a half of the chunk pair from one rank to another within the sender's window.
  size_t windowOffset(int from, int to, uint64_t half) const noexcept;
  Result broadcast(const FdMessage& message, int fd, Deadline deadline) noexcept;
  Result tellOfFreed(Deadline deadline, uint32_t& messages) noexcept;
  Result tellOfUsed(std::span<const TensorRef> refs, Deadline deadline, uint32_t& messages) noexcept;
  Result sendPassing(Deadline deadline, uint32_t& messages) noexcept;
  void refreshSnapshot();

  std::vector<std::unique_ptr<ShmPeer>> peers_;
  int64_t chunkBytes_;
  std::shared_ptr<Segment> window_;
  bool windowAnnounced_ = false;

  std::vector<std::shared_ptr<Segment>> snapshot_;   // of the registry, by base address
  std::vector<std::shared_ptr<Segment>> announced_;  // segments the peers know
  std::vector<PassedFd> passing_;                    // to go with the next operation
  uint64_t snapshotEpoch_ = 0;
  uint64_t announcedEpoch_ = 0;
};

}  // namespace ulysses
