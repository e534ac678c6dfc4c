// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "path/ucx/peer.h"

namespace ulysses {

/// Reads what comes in over UCX. It is of ranks that have proved themselves, but nothing it says is used unchecked:
/// what cannot be is noted at its sender, who is lost then. Changes the peers' plain state and nothing else; no I/O:
/// the fuzzer drives it.
class UcxInbox {
 public:
  using Message = std::span<const std::byte>;

  /// `peers`, by rank, belong to the path.
  explicit UcxInbox(const std::vector<std::unique_ptr<UcxPeer>>& peers) : peers_(peers) {}

  /// `finished`: up to which operation this rank has done. Throws bad_alloc.
  void takeAnnounce(Message message, uint64_t finished);
  void takeCredit(Message message) noexcept;
  /// Nothing when no peer can have sent it.
  std::optional<Cause> takeCause(Message message) noexcept;
  /// One that is a T and nothing else; nothing when no peer can have sent it. Its values are not looked at.
  template <typename T>
  std::optional<T> takeWhole(Message message) noexcept {
    T said;
    if (message.size() == sizeof said) std::memcpy(&said, message.data(), sizeof said);
    if (message.size() == sizeof said && senderOf(said.from)) return said;
    drop();
    return std::nullopt;
  }
  /// Who departs; null when no peer can have sent it.
  UcxPeer* takeDepart(Message message) noexcept;
  /// One that could not be read: its sender is waited for in vain, and named at the deadline.
  void drop() noexcept { ++strays_; }

 private:
  UcxPeer* senderOf(int32_t rank) const noexcept;

  const std::vector<std::unique_ptr<UcxPeer>>& peers_;
  int strays_ = 0;  // messages that no rank can have sent
};

}  // namespace ulysses
