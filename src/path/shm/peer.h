// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mapping.h"
#include "base/unique_fd.h"
#include "path/path.h"
#include "plan/extent.h"

namespace ulysses {

/// Another rank of this host: how to reach and watch it, and its memory as mapped here.
class ShmPeer {
 public:
  /// `pid` as the kernel tells it to this process: 0 when the peer's PID namespace cannot be seen from here. `ownPid`
  /// is what the peer takes its number to be; 0 when it did not say.
  ShmPeer(int rank, pid_t pid, UniqueFd socket, pid_t ownPid = 0);

  int rank() const noexcept { return rank_; }
  /// For tools; of its own PID namespace when that is not ours.
  pid_t pid() const noexcept { return pid_ != 0 ? pid_ : ownPid_; }
  /// "pid 7", and of which PID namespace when that is not ours.
  std::string pidText() const;
  int socket() const noexcept { return socket_.get(); }
  bool sameProcess() const noexcept { return sameProcess_; }
  /// How its process ended, or nothing while it lives.
  std::optional<std::string> death() const;
  /// The same, or that it has closed its end of the socket.
  std::optional<std::string> end() const;
  /// The process's state by /proc where that shows it: "stopped by a signal", "alive but silent", "gone".
  std::string state() const;

  /// Reads control messages until the count of those that came, which begins at kMessagesAtStart, is `messages`.
  void receiveControl(uint32_t messages) noexcept;
  /// Reads those that are there.
  void receiveAvailable() noexcept;
  /// Its bytes in this process, or throws Error when the reference does not fit a segment it announced.
  const std::byte* resolve(const TensorRef& ref, const Extent& extent);
  /// Its staging window; empty until it was announced.
  const Mapping& window() const noexcept { return window_; }
  /// What came of that batch, see Path::takePassed.
  std::vector<PassedFd> takePassed(uint64_t batch);
  /// Throws Error when the window that it announced could not be mapped.
  void requireWindow() const;

 private:
  struct Mapped {
    uint64_t segment;
    Mapping mapping;
  };
  /// "killed by signal 9" where the kernel tells, else "".
  std::string exitReason() const;
  bool receiveOne(Deadline deadline) noexcept;
  void apply(struct ReceivedMessage&& received);
  void drop(uint64_t segment) noexcept;
  void keepPassed(struct ReceivedMessage&& received);
  void keepTrouble(const char* text) noexcept;

  int rank_;
  pid_t pid_, ownPid_;
  bool sameProcess_;
  UniqueFd socket_, pidfd_;
  uint32_t messages_ = kMessagesAtStart;
  std::vector<Mapped> segments_;  // by segment id: ids of one process ascend
  Mapping window_;
  std::vector<PassedFd> passed_;
  uint64_t lastTaken_ = 0;  // batch of them
  std::string trouble_;     // with the last control message that could not be followed
};

}  // namespace ulysses
