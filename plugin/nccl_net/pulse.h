// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The thread that moves connections on when NCCL does not: the peer of a sender may not call in for a long time, and
// UCX's first messages need both ends. It visits every connection, each millisecond while something moves, else ever
// more seldom, and is there only while there are connections.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "connection.h"

namespace ulysses::nccl {

class Pulse {
 public:
  /// The one of this process. Its thread is joined when the last connection was closed, and when the process exits.
  static Pulse& get();

  /// Keeps a connection until it is closed. Throws SystemError when no thread can be made.
  void add(std::shared_ptr<Connection> connection);
  /// Closes it, and lets it linger if it must.
  void close(Connection& connection) noexcept;
  /// Waits until none lingers, `ms` at most; then those that do are given up, and the thread is joined if no connection
  /// is left.
  void settle(int64_t ms) noexcept;
  /// Ends the thread for good.
  void stop() noexcept;

 private:
  using Members = std::vector<std::shared_ptr<Connection>>;

  void start();
  void run(uint64_t era);
  void dropFinished(const Members& finished);
  std::thread takeThread() noexcept;
  void joinIfEmpty() noexcept;

  std::mutex mutex_;
  std::condition_variable wake_, settled_;
  Members members_, lingering_;
  uint64_t changes_ = 0;  // of members_ and lingering_
  uint64_t era_ = 0;      // raised to end the thread
  std::thread thread_;
  bool running_ = false;  // false: thread_ is none, or has ended for want of connections
  int owner_ = 0;         // the process that made the thread; a forked child has none
};

}  // namespace ulysses::nccl
