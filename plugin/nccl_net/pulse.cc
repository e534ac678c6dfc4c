// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "pulse.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "base/thread.h"
#include "ucx_log.h"

namespace ulysses::nccl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuick{1}, kSlow{16};

/// The program's signals are not for our thread.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// Ends the thread before UCX's own handlers at exit run. The pulse itself is never freed: NCCL's threads may still
/// call.
struct StopAtExit {
  ~StopAtExit() { Pulse::get().stop(); }
};

}  // namespace

Pulse& Pulse::get() {
  static auto* const pulse = new Pulse;
  return *pulse;
}

void Pulse::add(std::shared_ptr<Connection> connection) {
  static const StopAtExit stopAtExit;
  const std::lock_guard lock(mutex_);
  if (!running_ || owner_ != getpid()) start();
  members_.push_back(std::move(connection));
  ++changes_;
  wake_.notify_all();
}

void Pulse::start() {
  const BlockedSignals blocked;
  if (thread_.joinable()) {
    if (owner_ == getpid())
      thread_.join();  // it ended by itself
    else
      thread_.detach();  // a parent's, which this process does not have
  }
  owner_ = getpid();
  thread_ = startThread("the progress of NCCL's connections", [this, era = era_] { run(era); });
  running_ = true;
}

void Pulse::run(uint64_t era) {
  const InPlugin inPlugin;
  Members visited, finished;
  uint64_t known = 0;
  milliseconds pause = kQuick;
  std::unique_lock lock(mutex_);
  while (era == era_) {
    if (known != changes_) {
      visited = members_;
      visited.insert(visited.end(), lingering_.begin(), lingering_.end());
      known = changes_;
    }
    lock.unlock();
    bool moved = false;
    finished.clear();
    for (const std::shared_ptr<Connection>& connection : visited) {
      const Connection::Visit visit = connection->visit();
      moved = moved || visit == Connection::Visit::Moved;
      if (visit == Connection::Visit::Finished) finished.push_back(connection);
    }
    lock.lock();
    dropFinished(finished);
    pause = moved ? kQuick : std::min(pause * 2, kSlow);
    if (members_.empty() && lingering_.empty()) break;
    wake_.wait_for(lock, pause, [&] { return era != era_ || known != changes_; });
  }
  if (era == era_) running_ = false;
}

void Pulse::dropFinished(const Members& finished) {
  for (const std::shared_ptr<Connection>& connection : finished)
    if (std::erase(lingering_, connection) > 0) ++changes_;
  if (lingering_.empty()) settled_.notify_all();
}

void Pulse::close(Connection& connection) noexcept {
  std::shared_ptr<Connection> owner;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::ranges::find(members_, &connection, &std::shared_ptr<Connection>::get);
    if (at == members_.end()) return;
    owner = *at;
    lingering_.push_back(std::move(*at));  // already now, so that the thread does not end meanwhile
    members_.erase(at);
    ++changes_;
    wake_.notify_all();
  }
  if (!owner->close()) {
    const std::lock_guard lock(mutex_);
    dropFinished({owner});
  }
  joinIfEmpty();
}

void Pulse::settle(int64_t ms) noexcept {
  Members givenUp;
  {
    std::unique_lock lock(mutex_);
    settled_.wait_for(lock, milliseconds(ms), [&] { return lingering_.empty(); });
    givenUp.swap(lingering_);
    ++changes_;
  }
  joinIfEmpty();
}

std::thread Pulse::takeThread() noexcept {
  ++era_;
  running_ = false;
  wake_.notify_all();
  return std::exchange(thread_, std::thread());
}

void Pulse::joinIfEmpty() noexcept {
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    if (members_.empty() && lingering_.empty() && owner_ == getpid()) ended = takeThread();
  }
  if (ended.joinable()) ended.join();
}

void Pulse::stop() noexcept {
  constexpr int64_t kExitMs = 1'000;
  std::thread ended;
  Members givenUp;  // freed after the thread has ended, and before UCX's handlers at exit
  {
    std::unique_lock lock(mutex_);
    if (owner_ == getpid() && thread_.joinable()) {
      settled_.wait_for(lock, milliseconds(kExitMs), [&] { return lingering_.empty(); });
      givenUp.swap(lingering_);
    }
    ended = takeThread();
  }
  if (!ended.joinable()) return;
  if (owner_ == getpid())
    ended.join();
  else
    ended.detach();
}

}  // namespace ulysses::nccl
