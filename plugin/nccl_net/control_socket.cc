// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "control_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "base/check.h"

namespace ulysses::nccl {
namespace {

void setOption(int fd, int level, int name, int value) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0) raiseErrno("setsockopt");
}

/// Small records go at once; a peer whose host vanished is noticed within 20 s.
void configure(int fd) {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
}

[[noreturn]] void raiseUnreached(const SocketAddress& peer, int error) {
  raise(Result::RemoteLost,
        "connecting to {} failed: {} (errno {}); has the peer's process ended, and do the hosts reach each other at "
        "these addresses (NCCL shows the devices; UCX_NET_DEVICES chooses among them)?",
        peer.text(), std::strerror(error), error);
}

bool wouldBlock(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

ControlSocket::ControlSocket(UniqueFd connected) : fd_(std::move(connected)), connected_(true) { configure(fd_.get()); }

ControlSocket ControlSocket::connectTo(const SocketAddress& peer) {
  UniqueFd fd(::socket(peer.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) raiseErrno("socket");
  ControlSocket made(std::move(fd));
  made.peer_ = peer;
  sockaddr_storage address;
  const socklen_t bytes = peer.into(address);
  made.connected_ = ::connect(made.fd_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0;
  if (!made.connected_ && errno != EINPROGRESS && errno != EINTR) raiseUnreached(peer, errno);
  return made;
}

bool ControlSocket::connected() {
  if (connected_) return true;
  pollfd writable{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, 0) <= 0) return false;
  int error = 0;
  socklen_t bytes = sizeof error;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) raiseErrno("getsockopt");
  if (error != 0) raiseUnreached(peer_, error);
  return connected_ = true;
}

void ControlSocket::writeBytes(std::span<const std::byte> bytes) noexcept {
  try {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  } catch (const std::exception&) {  // out of memory: to miss a record is to lose the peer
    return close();
  }
  writeOn();
}

void ControlSocket::move() {
  writeOn();
  readOn();
}

void ControlSocket::writeOn() noexcept {
  size_t done = 0;
  while (done < out_.size() && !ended_) {
    const ssize_t n = ::send(fd_.get(), out_.data() + done, out_.size() - done, MSG_NOSIGNAL);
    if (n < 0 && wouldBlock(errno)) break;
    if (n < 0) return;  // the peer is gone; readOn takes what it said before, and then sees the end
    done += static_cast<size_t>(n);
  }
  out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(done));
}

void ControlSocket::readOn() {
  std::byte chunk[4096];
  while (!ended_) {
    const ssize_t n = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (n < 0 && wouldBlock(errno)) return;
    if (n <= 0)
      ended_ = true;
    else
      in_.insert(in_.end(), chunk, chunk + n);
    // A peer that sends without end is held back by TCP, not by our memory.
    if (n < static_cast<ssize_t>(sizeof chunk)) return;
  }
}

bool ControlSocket::peekBytes(std::span<std::byte> bytes) const noexcept {
  if (in_.size() < bytes.size()) return false;
  std::copy_n(in_.begin(), bytes.size(), bytes.begin());
  return true;
}

bool ControlSocket::takeBytes(std::span<std::byte> bytes) noexcept {
  if (!peekBytes(bytes)) return false;
  in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(bytes.size()));
  return true;
}

void ControlSocket::close() noexcept {
  fd_.reset();
  ended_ = true;
}

}  // namespace ulysses::nccl
