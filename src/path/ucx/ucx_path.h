// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/mman.h>

#include <atomic>
#include <memory>
#include <vector>

#include "path/path.h"
#include "path/ucx/inbox.h"
#include "path/ucx/peer.h"
#include "path/ucx/ucx_council.h"
#include "path/ucx/worker.h"

namespace ulysses {

/// Ranks of other hosts, over UCX. Announcements are active messages; bytes are packed into chunks, sent as tagged
/// messages into buffers that the receiver has posted, and unpacked from there: while one chunk is packed or unpacked
/// others travel. Chunks that lie in a tensor as they are sent are sent from there. A sender has credit for kUcxChunks,
/// which its receiver renews. Endpoints are opened on first use. Nothing moves but in calls of this rank: an operation
/// is complete here only when UCX has let go of all it sent.
class UcxPath final : public Path {
 public:
  struct Options {
    int rank = 0;
    int64_t chunkBytes = 0;
    bool verify = false;
    bool sendsInPlace = false;  // whether UCX may be given callers' memory; it has then no need to register it
    std::string reason;         // why ranks are joined by this path, but for the hosts' names
    /// Of groups that this rank heads; on its host's board, where it has one.
    std::shared_ptr<std::atomic<uint64_t>> ballot;
  };
  struct Contact {
    std::string host;
    int pid = 0;
    std::vector<std::byte> address;  // of its worker; empty: it is not reached by this path
  };

  /// Bytes of a chunk in a group of that many ranks: the windows of each rank hold four times `stagingBytes` each way.
  static int64_t chunkBytesFor(int64_t stagingBytes, int nRanks);

  /// `contacts` is indexed by rank.
  UcxPath(std::unique_ptr<UcxWorker> worker, Options options, std::vector<Contact> contacts);
  /// Tells the peers, and stays up to a second until they have taken what was sent to them.
  ~UcxPath() override;

  std::string_view name() const noexcept override { return "ucx"; }
  std::string reasonFor(int peer) const override;
  bool verifies() const noexcept override { return options_.verify; }

  TensorRef locate(const void*, const Extent&) override { return {}; }
  Result publish(const Posting& posting, Deadline deadline) noexcept override;
  std::optional<Announcement> announcement(int peer, uint64_t sequence) noexcept override;
  const CallRecord& record(int peer, uint64_t sequence) const noexcept override;
  int64_t tokensOf(int peer, uint64_t sequence, int index) const noexcept override;
  int64_t queryHeadsOf(int peer, uint64_t sequence, int index) const noexcept override;
  uint64_t lastSequence(int peer) const noexcept override { return at(peer).last; }
  void finish(uint64_t sequence) noexcept override;
  bool finished(int peer, uint64_t sequence) const noexcept override;
  bool slotFree(int peer, uint64_t sequence) const noexcept override { return at(peer).last >= sequence; }

  Council& council() noexcept override { return council_; }

  bool mappable(int, const TensorRef&) const noexcept override { return false; }
  const std::byte* map(int, const TensorRef&, const Extent&) override { return nullptr; }
  void requireChunks(int peer) override;
  int64_t chunkBytes() const noexcept override { return options_.chunkBytes; }
  std::span<std::byte> chunkTo(int peer) noexcept override;
  void sendChunk(int peer, int64_t bytes) noexcept override;
  bool sendsInPlace(int64_t bytes) const noexcept override {
    constexpr int64_t kShort = 4;  // what is shorter than a quarter of a chunk is packed at little cost
    return options_.sendsInPlace && bytes * kShort >= options_.chunkBytes;
  }
  bool sendFrom(int peer, std::span<const std::byte> bytes) noexcept override;
  void letGo() noexcept override;
  std::span<const std::byte> chunkFrom(int peer) noexcept override;
  void releaseChunk(int peer) noexcept override;
  void prepareStaging() override;

  void service() noexcept override {
    progress();
    council_.tellOutcomes();
  }
  void sleep() noexcept override;
  std::optional<std::string> lost(int peer) override;
  bool isRevoked() const noexcept override { return causeState_.load(std::memory_order_acquire) == kWritten; }
  void revoke(const Cause& cause) noexcept override;
  Cause cause() const noexcept override { return isRevoked() ? cause_ : Cause{}; }
  int pidOf(int peer) const noexcept override { return at(peer).pid; }
  std::string describe(int peer) const override;

 private:
  enum CauseState : uint32_t { kNone, kWriting, kWritten };
  /// A message under way; kept for the next one.
  struct Outgoing {
    UcxPath* path;
    UcxPeer* peer;
    std::vector<std::byte> bytes;
  };
  /// What this rank announced.
  struct Own {
    uint64_t sequence = 0, recordId = 0;
    std::span<const int64_t> tokens, queryHeads;
  };
  /// Memory of all chunks one way: [peer][kUcxChunks][chunkBytes].
  struct Window {
    std::byte* base = nullptr;
    size_t bytes = 0;
    Window() = default;
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;
    ~Window() {
      if (base) munmap(base, bytes);
    }
    void allocate(size_t wanted);
  };

  UcxPeer& at(int rank) const noexcept { return *peers_[static_cast<size_t>(rank)]; }
  bool progress() const noexcept;
  bool isOpen(UcxPeer& peer) noexcept;
  bool hasRoom(const UcxPeer& peer) const noexcept;
  void sendNext(UcxPeer& peer, std::span<const std::byte> bytes, bool isTensor) noexcept;
  void tellBytes(UcxPeer& peer, UcxMessage id, std::span<const std::byte> message) noexcept;
  template <typename T>
  void tell(UcxPeer& peer, UcxMessage id, const T& message) noexcept {
    tellBytes(peer, id, std::as_bytes(std::span(&message, 1)));
  }
  std::unique_ptr<Outgoing> take(UcxPeer& peer);
  void post(UcxPeer& peer, UcxMessage id, std::unique_ptr<Outgoing> message) noexcept;
  void announceTo(UcxPeer& peer, const Posting& posting, bool withRecord);
  void tellCause() noexcept;
  void tellTaken(UcxPeer& peer) noexcept;
  void listen(UcxPeer& peer, uint64_t index) noexcept;
  std::span<std::byte> chunk(const Window& window, const UcxPeer& peer, uint64_t index) const noexcept;
  void depart() noexcept;

  // What UCX calls; none of it makes progress.
  void hearMessages();
  template <auto Take>
  static ucs_status_t onMessage(void* self, const void*, size_t, void* data, size_t bytes,
                                const ucp_am_recv_param_t* param) noexcept;
  static void onSent(void* request, ucs_status_t status, void* outgoing) noexcept;
  static void onChunkSent(void* request, ucs_status_t status, void* chunk) noexcept;
  static void onChunk(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info, void* chunk) noexcept;
  static void onFailure(void* peer, ucp_ep_h endpoint, ucs_status_t status) noexcept;
  void takeAnnounce(std::span<const std::byte> message);
  void takeCredit(std::span<const std::byte> message);
  void takeCause(std::span<const std::byte> message);
  void takeDepart(std::span<const std::byte> message);
  template <typename T>
  void takeForCouncil(std::span<const std::byte> message) noexcept;

  std::unique_ptr<UcxWorker> worker_;
  Options options_;
  std::vector<std::unique_ptr<UcxPeer>> peers_;  // by rank
  UcxInbox inbox_{peers_};
  UcxCouncil council_;
  std::array<Own, kUcxRing> own_;
  uint64_t finished_ = 0;
  Window sendWindow_, receiveWindow_;
  std::vector<std::unique_ptr<Outgoing>> idle_;

  std::atomic<uint32_t> causeState_{kNone};
  Cause cause_;
  bool toldCause_ = false;
  bool isClosed_ = false;  // nothing is sent any more
  bool isStill_ = false;   // UCX may not move any more
};

}  // namespace ulysses
