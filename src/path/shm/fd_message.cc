// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/shm/fd_message.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace ulysses {
namespace {

/// False when the deadline passed first.
bool waitFor(int socket, short events, Deadline deadline) noexcept {
  for (;;) {
    pollfd entry{socket, events, 0};
    const int ready = poll(&entry, 1, deadline.leftMs(1000));
    if (ready > 0) return true;
    if (deadline.passed()) return false;
  }
}

/// The kernel is short of memory for messages, or of descriptors in flight: that may pass by the deadline, and does not
/// mean that the peer has gone.
bool isPassing(int error) noexcept { return error == ENOBUFS || error == ENOMEM || error == ETOOMANYREFS; }

/// Room for exactly one descriptor, aligned as the kernel wants it.
union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

UniqueFd descriptorOf(msghdr& header) noexcept {
  const cmsghdr* control = CMSG_FIRSTHDR(&header);
  if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
  return UniqueFd(fd);
}

}  // namespace

Result trySendMessage(int socket, const FdMessage& message, int fd) noexcept {
  iovec part{const_cast<FdMessage*>(&message), sizeof message};
  Control control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    cmsghdr* right = CMSG_FIRSTHDR(&header);
    right->cmsg_level = SOL_SOCKET;
    right->cmsg_type = SCM_RIGHTS;
    right->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(right), &fd, sizeof fd);
  }
  for (;;) {
    if (sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof message) return Result::Success;
    if (errno == EINTR) continue;
    return errno == EAGAIN || isPassing(errno) ? Result::InProgress : Result::RemoteLost;
  }
}

Result sendMessage(int socket, const FdMessage& message, int fd, Deadline deadline) noexcept {
  for (;;) {
    const Result sent = trySendMessage(socket, message, fd);
    if (sent != Result::InProgress) return sent;
    if (!waitFor(socket, POLLOUT, deadline)) return Result::Timeout;
  }
}

std::optional<ReceivedMessage> receiveMessage(int socket, Deadline deadline) noexcept {
  for (;;) {
    ReceivedMessage received;
    iovec part{&received.message, sizeof received.message};
    Control control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    const ssize_t bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes >= 0) received.fd = descriptorOf(header);
    received.fdRefused = (header.msg_flags & MSG_CTRUNC) != 0;
    if (bytes == sizeof received.message && !(header.msg_flags & MSG_TRUNC)) return received;
    // A peer that ends with messages of ours unread resets the connection. That is told once, before the messages that
    // it had sent; they are still there.
    if (bytes < 0 && errno == ECONNRESET) continue;
    if (bytes >= 0 || (errno != EAGAIN && errno != EINTR && !isPassing(errno))) return std::nullopt;
    if (!waitFor(socket, POLLIN, deadline)) return std::nullopt;
  }
}

}  // namespace ulysses
