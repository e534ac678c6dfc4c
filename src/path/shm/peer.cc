// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/shm/peer.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>

#include "base/log.h"
#include "path/shm/fd_message.h"

namespace ulysses {
namespace {

// Linux 6.15 and later tell how a process ended through its pidfd, to anyone who holds it; older headers lack this.
struct PidfdInfo {
  uint64_t mask, cgroupId;
  uint32_t pid, tgid, ppid, ids[8];
  int32_t exitCode;
  uint32_t reserved[4];
};
constexpr uint64_t kPidfdInfoExit = 1u << 3;

/// The kernel's hold on the process: by its number, else as what is at the other end, which knows no PID namespaces
/// (Linux 6.5).
UniqueFd openPidfd(int socket, pid_t pid) {
  if (pid > 0)
    if (UniqueFd byNumber(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); byNumber) return byNumber;
  constexpr int kSoPeerPidfd = 77;  // older headers lack it
  int fd = -1;
  socklen_t size = sizeof fd;
  return getsockopt(socket, SOL_SOCKET, kSoPeerPidfd, &fd, &size) == 0 ? UniqueFd(fd) : UniqueFd();
}

std::string describeStatus(int status) {
  if (WIFSIGNALED(status)) return formatText("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  if (WIFEXITED(status)) return formatText("exited with code {}", WEXITSTATUS(status));
  return "";
}

/// Throws unless the file is as long as the message says: a short one would be a SIGBUS later.
Mapping mapAnnounced(const ReceivedMessage& received) {
  const FdMessage& m = received.message;
  if (received.fdRefused) raiseErrno("receiving the descriptor of a peer's memory", EMFILE);
  struct stat file {};
  if (!received.fd || fstat(received.fd.get(), &file) != 0 || m.offset < 0 || m.bytes == 0 ||
      m.bytes > static_cast<uint64_t>(file.st_size) ||
      static_cast<uint64_t>(m.offset) > static_cast<uint64_t>(file.st_size) - m.bytes)
    raise(Result::InternalError, "a peer announced a segment of {} bytes that its file does not hold", m.bytes);
  return Mapping(received.fd.get(), m.offset, m.bytes, PROT_READ);
}

}  // namespace

// The numbers that two processes have in PID namespaces of their own may be equal: only the kernel's word makes them
// one.
ShmPeer::ShmPeer(int rank, pid_t pid, UniqueFd socket, pid_t ownPid)
    : rank_(rank),
      pid_(pid),
      ownPid_(ownPid != 0 ? ownPid : pid),
      sameProcess_(pid == getpid()),
      socket_(std::move(socket)) {
  if (!sameProcess_) pidfd_ = openPidfd(socket_.get(), pid);
}

std::string ShmPeer::pidText() const {
  if (pid_ == 0) return formatText("pid {} of another PID namespace", ownPid_);
  return pid_ == ownPid_ ? formatText("pid {}", pid_) : formatText("pid {} ({} in its PID namespace)", pid_, ownPid_);
}

std::optional<std::string> ShmPeer::death() const {
  if (sameProcess_) return std::nullopt;
  // A pidfd is readable when the process has ended; a socket also by a control message, so there only its end counts.
  pollfd watched{pidfd_ ? pidfd_.get() : socket_.get(), static_cast<short>(pidfd_ ? POLLIN : 0), 0};
  if (poll(&watched, 1, 0) <= 0) return std::nullopt;
  const std::string how = exitReason();
  return formatText("{} died{}{}", pidText(), how.empty() ? "" : ": ", how);
}

std::optional<std::string> ShmPeer::end() const {
  if (auto how = death()) return how;
  pollfd watched{socket_.get(), 0, 0};
  if (sameProcess_ || poll(&watched, 1, 0) <= 0) return std::nullopt;
  // A process's socket may end a moment before the process does: give it that.
  constexpr int kMomentMs = 100;
  pollfd process{pidfd_.get(), POLLIN, 0};
  poll(&process, 1, kMomentMs);
  if (auto how = death()) return how;
  return formatText("{} lives, and closed its connection", pidText());
}

std::string ShmPeer::exitReason() const {
  if (!pidfd_) return "";
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  // The exit code appears when the parent has reaped the process: give it 30 ms, this is not the fast path.
  for (int i = 0; i < 60; ++i) {
    if (ioctl(pidfd_.get(), _IOWR(0xFF, 11, PidfdInfo), &info) == 0 && (info.mask & kPidfdInfoExit))
      return describeStatus(info.exitCode);
    usleep(500);
    info.mask = kPidfdInfoExit;
  }
  siginfo_t child{};  // our own child, not reaped yet
  if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &child, WEXITED | WNOHANG | WNOWAIT) ==
          0 &&
      child.si_pid != 0)
    return child.si_code == CLD_EXITED
               ? formatText("exited with code {}", child.si_status)
               : formatText("killed by signal {} ({})", child.si_status, strsignal(child.si_status));
  return "";
}

std::string ShmPeer::state() const {
  std::string line;
  if (pid_ > 0) {
    std::ifstream status(formatText("/proc/{}/stat", pid_));
    std::getline(status, line);
  }
  if (line.empty()) return end() ? "gone" : "alive; whether it is stopped cannot be seen from here";
  const size_t name = line.rfind(')');
  const char state = name != std::string::npos && name + 2 < line.size() ? line[name + 2] : '?';
  if (state == 'T' || state == 't') return "stopped by a signal (SIGSTOP or a debugger)";
  return state == 'Z' ? "dead" : "alive but silent";
}

void ShmPeer::receiveControl(uint32_t messages) noexcept {
  // Counts wrap; those that receiveAvailable took early are ahead. Each was sent before the slot that counts it was
  // published, so it is there; a peer that lies costs one wait.
  constexpr int64_t kLieMs = 1000;
  while (static_cast<int32_t>(messages - messages_) > 0)
    if (!receiveOne(Deadline::inMs(kLieMs))) messages_ = messages;
}

void ShmPeer::receiveAvailable() noexcept {
  while (receiveOne(Deadline())) {
  }
}

bool ShmPeer::receiveOne(Deadline deadline) noexcept {
  auto received = receiveMessage(socket_.get(), deadline);
  if (!received) return false;
  ++messages_;
  try {
    apply(std::move(*received));
  } catch (const std::exception& error) {
    keepTrouble(error.what());  // resolve() and requireWindow() fail later
  }
  return true;
}

void ShmPeer::apply(ReceivedMessage&& received) {
  switch (received.message.kind) {
    case FdMessage::Kind::Segment:
      drop(received.message.segment);
      segments_.insert(std::upper_bound(segments_.begin(), segments_.end(), received.message.segment,
                                        [](uint64_t id, const Mapped& m) { return id < m.segment; }),
                       Mapped{received.message.segment, mapAnnounced(received)});
      log::info(log::Subsystem::Path, "segment {} of rank {} (pid {}) mapped, {} bytes", received.message.segment,
                rank_, pid_, received.message.bytes);
      return;
    case FdMessage::Kind::Drop:
      return drop(received.message.segment);
    case FdMessage::Kind::Window:
      window_ = mapAnnounced(received);
      return;
    case FdMessage::Kind::Passed:
      return keepPassed(std::move(received));
    case FdMessage::Kind::Board:
      break;
  }
  raise(Result::InternalError, "unexpected control message {}", static_cast<uint32_t>(received.message.kind));
}

void ShmPeer::drop(uint64_t segment) noexcept {
  std::erase_if(segments_, [&](const Mapped& mapped) { return mapped.segment == segment; });
}

/// Of an earlier batch there may be some that were never taken, as an operation failed.
void ShmPeer::keepPassed(ReceivedMessage&& received) {
  if (received.message.segment <= lastTaken_) return;
  if (passed_.size() >= 2 * Path::kMostPassed) passed_.erase(passed_.begin());
  passed_.push_back({received.message.segment, received.message.bytes, std::move(received.fd)});
}

std::vector<PassedFd> ShmPeer::takePassed(uint64_t batch) {
  lastTaken_ = std::max(lastTaken_, batch);
  std::vector<PassedFd> taken;
  for (PassedFd& each : passed_)
    if (each.batch == batch) taken.push_back(std::move(each));
  std::erase_if(passed_, [&](const PassedFd& each) { return each.batch <= batch; });
  return taken;
}

/// Memory may be what there is none of.
void ShmPeer::keepTrouble(const char* text) noexcept {
  try {
    trouble_ = text;
    log::warn(log::Subsystem::Path, "control message of rank {}: {}", rank_, text);
  } catch (const std::exception&) {
    trouble_.clear();
  }
}

void ShmPeer::requireWindow() const {
  if (!window_.data())
    raise(Result::SystemError, "the staging window of rank {} ({}) could not be mapped here{}{}", rank_, pidText(),
          trouble_.empty() ? "" : ": ", trouble_);
}

const std::byte* ShmPeer::resolve(const TensorRef& ref, const Extent& extent) {
  const auto at = std::lower_bound(segments_.begin(), segments_.end(), ref.segment,
                                   [](const Mapped& m, uint64_t id) { return m.segment < id; });
  if (at == segments_.end() || at->segment != ref.segment)
    raise(Result::SystemError, "segment {} of rank {} ({}) could not be mapped here{}{}", ref.segment, rank_, pidText(),
          trouble_.empty() ? "" : ": ", trouble_);
  const int64_t offset = static_cast<int64_t>(ref.offset), bytes = static_cast<int64_t>(at->mapping.bytes());
  if (offset < 0 || offset > bytes || offset + extent.begin < 0 || extent.end > bytes - offset)
    raise(Result::InternalError, "rank {} refers to bytes {}..{} at {} of a segment of {}", rank_, extent.begin,
          extent.end, offset, bytes);
  return at->mapping.data() + offset;
}

}  // namespace ulysses
