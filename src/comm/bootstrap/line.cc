// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/bootstrap/line.h"

#include <poll.h>

#include <algorithm>
#include <vector>

#include "comm/bootstrap/interface.h"

namespace ulysses {
namespace {

/// A connection on its way; `error` is 0 while nothing is known.
struct Attempt {
  UniqueId::Endpoint endpoint;
  UniqueFd socket;
  int error = 0;
};

/// Starts to connect. Whatever fails here fails at once.
Attempt attemptAt(const UniqueId::Endpoint& endpoint) {
  const HostAddress address = addressOf(endpoint);
  Attempt attempt{endpoint, UniqueFd(::socket(endpoint.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
  if (!attempt.socket) raiseErrno("socket");
  sendAtOnce(attempt.socket.get());
  if (connect(attempt.socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS && errno != EINTR)
    attempt.error = errno;
  return attempt;
}

/// A port that nobody listens at may be the one that the kernel chose for this very connection: it then meets itself.
bool isConnectedToItself(int socket) {
  sockaddr_storage own{}, peer{};
  socklen_t ownSize = sizeof own, peerSize = sizeof peer;
  return getsockname(socket, reinterpret_cast<sockaddr*>(&own), &ownSize) == 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peerSize) == 0 && ownSize == peerSize &&
         std::memcmp(&own, &peer, ownSize) == 0;
}

int errorOf(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error == 0 && isConnectedToItself(socket) ? ECONNREFUSED : error;
}

/// What errno means for a connection.
std::string connectText(int error) {
  if (error == 0) return "no answer before the deadline";
  if (error != EADDRNOTAVAIL) return std::strerror(error);
  return "no local port is free (or no such address): net.ipv4.ip_local_port_range is used up by other connections";
}

std::string describe(const std::vector<Attempt>& attempts) {
  std::string text;
  for (const Attempt& attempt : attempts)
    text += formatText("{}{} from {}: {}", text.empty() ? "" : "; ", toText(attempt.endpoint),
                       sourceOf(addressOf(attempt.endpoint)), connectText(attempt.error));
  return text;
}

/// The one that is connected, or nullptr when none of them is yet.
Attempt* waitFor(std::vector<Attempt>& attempts, Deadline deadline) {
  std::vector<pollfd> polls;
  polls.reserve(attempts.size());
  for (const Attempt& attempt : attempts) polls.push_back({attempt.error ? -1 : attempt.socket.get(), POLLOUT, 0});
  poll(polls.data(), polls.size(), deadline.leftMs(50));
  for (size_t i = 0; i < attempts.size(); ++i) {
    if (!polls[i].revents) continue;
    attempts[i].error = errorOf(attempts[i].socket.get());
    if (attempts[i].error == 0) return &attempts[i];
  }
  return nullptr;
}

}  // namespace

Line::Line(const UniqueId& id, Deadline deadline, std::function<void()> watch)
    : deadline_(deadline), watch_(std::move(watch)) {
  std::vector<Attempt> attempts;
  for (const UniqueId::Endpoint& endpoint : id.endpoints)
    if (endpoint.family != 0) attempts.push_back(attemptAt(endpoint));
  require(!attempts.empty(), "unique id: it has no endpoint; pass the 128 bytes of ulyssesGetUniqueId unchanged");
  const auto failed = [](const Attempt& attempt) { return attempt.error != 0; };
  // Whoever resets a connection has taken it: what would show as one that broke may show here already.
  const auto wasReset = [](const Attempt& attempt) { return attempt.error == ECONNRESET; };
  for (;;) {
    if (Attempt* connected = waitFor(attempts, deadline)) {
      socket_ = std::move(connected->socket);
      where_ = toText(connected->endpoint);
      source_ = sourceOf(addressOf(connected->endpoint));
      return;
    }
    const bool allFailed = std::all_of(attempts.begin(), attempts.end(), failed);
    if (allFailed || deadline.passed())
      throw NotYet(
          allFailed ? Result::SystemError : Result::Timeout,
          formatText("connecting to the rendezvous failed ({}); the process that called ulyssesGetUniqueId must be "
                     "alive and be reachable from here (ULYSSES_INTERFACE there), and an id serves one communicator",
                     describe(attempts)),
          describe(attempts), std::any_of(attempts.begin(), attempts.end(), wasReset));
    this->watch();
  }
}

Line::Line(UniqueFd socket, std::string where, Deadline deadline)
    : socket_(std::move(socket)), where_(std::move(where)), source_("here"), deadline_(deadline) {}

std::string Line::ownAddress() const {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) raiseErrno("getsockname");
  return hostText(own);
}

void Line::transfer(void* data, size_t bytes, bool sending) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t moved =
        sending ? ::send(socket_.get(), at, bytes, MSG_NOSIGNAL) : ::recv(socket_.get(), at, bytes, 0);
    if (moved > 0) {
      at += moved;
      bytes -= static_cast<size_t>(moved);
      continue;
    }
    if (moved == 0 || (errno != EAGAIN && errno != EINTR))
      raiseClosed(moved == 0 ? "end of file" : std::strerror(errno));
    if (deadline_.passed()) raiseTimeout();
    pollfd entry{socket_.get(), static_cast<short>(sending ? POLLOUT : POLLIN), 0};
    poll(&entry, 1, deadline_.leftMs(50));
    watch();
  }
}

void Line::raiseClosed(const char* how) const {
  const std::string text = formatText(
      "the rendezvous at {} closed the connection ({}): the process that called ulyssesGetUniqueId has ended, all "
      "ranks "
      "of this id were served already, or it has another secret; make a new id for each communicator",
      where_, how);
  if (served_) throw BrokenLine(Result::SystemError, text);
  throw NotYet(Result::SystemError, text, where_ + ": connection closed", true);
}

void Line::raiseTimeout() const {
  raise(Result::Timeout,
        "the rendezvous at {} did not answer before the deadline (asked from {}): look whether its process is stopped "
        "or the network drops packets, or raise init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
        where_, source_);
}

bool Line::isReadable() const noexcept {
  pollfd entry{socket_.get(), POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace ulysses
