// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mapping.h"
#include "base/unique_fd.h"
#include "path/record.h"
#include "plan/extent.h"

namespace ulysses {

/// Another rank of this host: how to reach and watch it, and its memory as mapped here.
class ShmPeer {
 public:
  ShmPeer(int rank, pid_t pid, UniqueFd socket);

  int rank() const noexcept { return rank_; }
  pid_t pid() const noexcept { return pid_; }
  int socket() const noexcept { return socket_.get(); }
  bool sameProcess() const noexcept { return sameProcess_; }
  /// What to poll for its death: the process itself where the kernel lets us, else the socket's end.
  int watch() const noexcept { return pidfd_ ? pidfd_.get() : socket_.get(); }
  /// "killed by signal 9" where the kernel tells, else "".
  std::string exitReason() const;
  /// The process's state by /proc: "stopped", "running or sleeping", "gone".
  std::string state() const;

  /// Reads control messages until `messages` have come in all.
  void receiveControl(uint32_t messages) noexcept;
  /// Reads those that are there.
  void receiveAvailable() noexcept;
  /// Its bytes in this process, or throws Error when the reference does not fit a segment it announced.
  const std::byte* resolve(const TensorRef& ref, const Extent& extent);
  /// Its staging window; empty until it was announced.
  const Mapping& window() const noexcept { return window_; }

 private:
  struct Mapped {
    uint64_t segment;
    Mapping mapping;
  };
  bool receiveOne(Deadline deadline) noexcept;
  void apply(struct ReceivedMessage&& received);
  void drop(uint64_t segment) noexcept;

  int rank_;
  pid_t pid_;
  bool sameProcess_;
  UniqueFd socket_, pidfd_;
  uint32_t messages_ = 0;
  std::vector<Mapped> segments_;  // by segment id: ids of one process ascend
  Mapping window_;
};

}  // namespace ulysses
