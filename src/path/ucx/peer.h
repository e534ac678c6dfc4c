// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "path/ucx/library.h"
#include "path/ucx/message.h"

namespace ulysses {

/// Announcements that a rank keeps of each peer. A peer announces operation n only when it has this rank's announcement
/// of n - kMaxOutstanding, which was sent when this rank had done with n - 2 * kMaxOutstanding.
inline constexpr uint64_t kUcxRing = 2 * kMaxOutstanding;
/// Chunks of one pair under way, each way.
inline constexpr uint64_t kUcxChunks = 4;

/// A rank of another host, as this one knows it. Plain state: UcxPath works on it, in UCX's callbacks too.
struct UcxPeer {
  struct Record {
    uint64_t id = 0;
    CallRecord call;
    std::vector<int64_t> tokens, queryHeads;
  };
  struct Slot {
    uint64_t sequence = 0, callHash = 0, strideHash = 0;
    bool poisoned = false;
    uint64_t seals[kSeals] = {};
    std::shared_ptr<const Record> record;
  };
  struct SendChunk {
    UcxPeer* peer = nullptr;
    bool busy = false;      // UCX reads it
    bool isTensor = false;  // it is the caller's memory that it reads
  };
  struct ReceiveChunk {
    UcxPeer* peer = nullptr;
    void* request = nullptr;  // null: none is posted, or it is done
    bool arrived = false;
    size_t bytes = 0;
  };

  // --- who and where
  int rank = -1;
  std::string host;
  int pid = 0;
  std::vector<std::byte> address;  // empty: another path's peer, or this rank
  ucp_ep_h endpoint = nullptr;
  ucs_status_t failure = UCS_OK;   // of its endpoint
  const char* nonsense = nullptr;  // what was wrong with a message of it
  bool departed = false;
  uint64_t departedAfter = 0;

  int underWay = 0;  // requests of UCX's that are not complete

  // --- announcements
  std::array<Slot, kUcxRing> ring;
  uint64_t last = 0;

  // --- chunks
  std::array<SendChunk, kUcxChunks> sends;
  std::array<ReceiveChunk, kUcxChunks> receives;
  uint64_t sent = 0, credited = 0;
  uint64_t taken = 0, takenTold = 0;
  bool listens = false;  // its receives are posted

  bool readsTensors() const noexcept {
    return std::ranges::any_of(sends, [](const SendChunk& each) { return each.busy && each.isTensor; });
  }
  bool isOurs() const noexcept { return !address.empty(); }
  bool isBroken() const noexcept { return failure != UCS_OK || nonsense; }
  /// The first failure is kept.
  void fail(ucs_status_t status) noexcept {
    if (failure == UCS_OK) failure = status;
  }
  /// Of what UCX returned when something was asked of it.
  void failIf(ucs_status_ptr_t request) noexcept {
    if (UCS_PTR_IS_ERR(request)) fail(UCS_PTR_STATUS(request));
  }
  const Slot* find(uint64_t sequence) const noexcept {
    const Slot& slot = ring[sequence % kUcxRing];
    return slot.sequence == sequence && sequence != 0 ? &slot : nullptr;
  }
  std::shared_ptr<const Record> recordOf(uint64_t id) const noexcept {
    for (const Slot& slot : ring)
      if (slot.record && slot.record->id == id) return slot.record;
    return nullptr;
  }
};

}  // namespace ulysses
