// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "peer_watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#include <utility>

#include "error.h"

namespace ulysses::perf {
namespace {

constexpr int kTickMs = 50;

double nowS() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

PeerWatch::PeerWatch(const Options& options, const SharedArea& area, ulyssesComm_t comm)
    : options_(options), area_(area), comm_(comm), lastProgressS_(nowS()) {
  for (int rank = 0; rank < options.ranks; ++rank) {
    const pid_t pid = area.slot(Side::kRanks, rank).pid;
    const bool isWatched = rank != options.rank && !area.meeting();  // of other machines the library finds the end
    const int fd = isWatched ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1;
    if (fd < 0 && isWatched) throwErrno(fmt::format("pidfd_open of rank {} (pid {})", rank, pid));
    pidFds_.push_back(fd);
  }
  thread_ = std::thread([this] { run(); });
}

PeerWatch::~PeerWatch() {
  stop_ = true;
  thread_.join();
  for (const int fd : pidFds_) {
    if (fd >= 0) close(fd);
  }
}

void PeerWatch::run() {
  for (; !stop_; poll(nullptr, 0, kTickMs)) {
    if (!abandoned_) lookForEnded();
    if (!abandoned_) checkProgress();
    if (abandoned_) wakeAll(area_);  // again and again: a wait may begin just now
  }
}

void PeerWatch::lookForEnded() {
  for (int rank = 0; rank < options_.ranks; ++rank) {
    int& fd = pidFds_[static_cast<size_t>(rank)];
    pollfd ended{fd, POLLIN, 0};
    if (fd < 0 || poll(&ended, 1, 0) <= 0) continue;
    const RankSlot& slot = area_.slot(Side::kRanks, rank);
    close(std::exchange(fd, -1));
    if (rank != 0 && slot.phase == Phase::kEnding) continue;  // nobody waits for it any more
    abandonWaits(fmt::format("rank {} (pid {}) ended while {}; see its own error, or the launcher's", rank,
                             slot.pid.load(), phaseName(slot.phase)));
    abandoned_ = true;
    return;
  }
}

void PeerWatch::checkProgress() {
  uint64_t heartbeats = 0;
  for (int rank = 0; rank < options_.ranks; ++rank) heartbeats += area_.slot(Side::kRanks, rank).heartbeat;
  if (heartbeats != heartbeats_) {
    heartbeats_ = heartbeats;
    lastProgressS_ = nowS();
  }
  if (nowS() - lastProgressS_ < options_.watchdogS) return;
  std::string phases;
  for (int rank = 0; rank < options_.ranks; ++rank) {
    const RankSlot& slot = area_.slot(Side::kRanks, rank);
    phases += fmt::format("\n  rank {} (pid {}): {}", rank, slot.pid.load(), phaseName(slot.phase));
  }
  abandonWaits(fmt::format("no rank got on for {} s (--watchdog):{}", options_.watchdogS, phases));
  abandoned_ = true;
  (void)ulyssesCommAbort(comm_);
}

}  // namespace ulysses::perf
