// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Control messages between two processes of one host: fixed-size, over a SOCK_SEQPACKET socket, with at most one file
// descriptor beside.
#pragma once
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace ulysses {

struct FdMessage {
  enum class Kind : uint32_t { Segment = 1, Drop = 2, Window = 3, Board = 4, Passed = 5 };
  Kind kind = Kind::Segment;
  uint32_t reserved = 0;
  uint64_t segment = 0;  // of Passed: the batch
  uint64_t bytes = 0;
  int64_t offset = 0;
};

/// Sends one message, with `fd` when it is >= 0. InProgress: there is no room now. RemoteLost: the peer is gone.
Result trySendMessage(int socket, const FdMessage& message, int fd) noexcept;
/// The same, waiting for room until the deadline.
Result sendMessage(int socket, const FdMessage& message, int fd, Deadline deadline) noexcept;

struct ReceivedMessage {
  FdMessage message;
  UniqueFd fd;
  bool fdRefused = false;  // one was sent, and the kernel could not give it: this process has no descriptor left
};

/// The next message, or nothing when the peer closed, sent something malformed, or the deadline passed.
std::optional<ReceivedMessage> receiveMessage(int socket, Deadline deadline) noexcept;

}  // namespace ulysses
