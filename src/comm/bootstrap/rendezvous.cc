// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The joining side of the rendezvous.
#include "comm/bootstrap/rendezvous.h"

#include <poll.h>

#include <algorithm>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/bootstrap/interface.h"
#include "comm/bootstrap/wire.h"

namespace ulysses {
namespace {

/// Nobody serves this id here, so far: `reason` is the short form, for who goes on trying.
struct NotYet : Error {
  NotYet(Result result, const std::string& text, std::string why) : Error(result, text), reason(std::move(why)) {}
  std::string reason;
};

/// A connection whose every wait ends by the deadline.
class Line {
 public:
  Line(UniqueFd socket, std::string where, Deadline deadline, const std::function<void()>& watch)
      : socket_(std::move(socket)), where_(std::move(where)), deadline_(deadline), watch_(watch) {}

  template <typename T>
  void send(const T& message) {
    transfer(const_cast<T*>(&message), sizeof message, true);
  }
  template <typename T>
  T receive() {
    T message;
    transfer(&message, sizeof message, false);
    if (message.magic != T::kMagic) raise(Result::SystemError, "what answers at {} is no rendezvous of ours", where_);
    return message;
  }
  void transfer(void* data, size_t bytes, bool sending);
  const std::string& where() const { return where_; }
  /// It has shown that it is a rendezvous: a connection that closes from now on is not one that nobody serves.
  void setServed() { served_ = true; }

 private:
  [[noreturn]] void raiseClosed() const;

  bool served_ = false;
  UniqueFd socket_;
  std::string where_;
  Deadline deadline_;
  const std::function<void()>& watch_;
};

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
    if (moved == 0 || (errno != EAGAIN && errno != EINTR)) raiseClosed();
    if (deadline_.passed()) raise(Result::Timeout, "the rendezvous at {} did not answer before the deadline", where_);
    pollfd entry{socket_.get(), static_cast<short>(sending ? POLLOUT : POLLIN), 0};
    poll(&entry, 1, deadline_.leftMs(50));
    if (watch_) watch_();
  }
}

void Line::raiseClosed() const {
  const std::string text = formatText(
      "the rendezvous at {} closed the connection: the process that called ulyssesGetUniqueId has ended, all "
      "ranks of this id were served already, or it has another secret; make a new id for each communicator",
      where_);
  if (served_) throw Error(Result::SystemError, text);
  throw NotYet(Result::SystemError, text, where_ + ": connection closed");
}

/// A port that nobody listens at may be the one that the kernel chose for this very connection: it then meets itself.
bool isConnectedToItself(int socket) {
  sockaddr_storage own{}, peer{};
  socklen_t ownSize = sizeof own, peerSize = sizeof peer;
  return getsockname(socket, reinterpret_cast<sockaddr*>(&own), &ownSize) == 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peerSize) == 0 && ownSize == peerSize &&
         std::memcmp(&own, &peer, ownSize) == 0;
}

/// 0 when the socket is connected, else an errno; ETIMEDOUT at the deadline.
int connectBy(int socket, const HostAddress& address, Deadline deadline) {
  if (connect(socket, address.get(), address.size) == 0) return isConnectedToItself(socket) ? ECONNREFUSED : 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  pollfd entry{socket, POLLOUT, 0};
  while (poll(&entry, 1, deadline.leftMs(1000)) <= 0)
    if (deadline.passed()) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error == 0 && isConnectedToItself(socket) ? ECONNREFUSED : error;
}

/// What errno means for a connection.
std::string connectText(int error) {
  if (error != EADDRNOTAVAIL) return std::strerror(error);
  return "no local port is free (or no such address): net.ipv4.ip_local_port_range is used up by other connections";
}

/// The first of the id's endpoints that answers.
Line connectTo(const UniqueId& id, Deadline deadline, const std::function<void()>& watch) {
  std::string tried;
  int error = 0;
  for (const UniqueId::Endpoint& endpoint : id.endpoints) {
    if (endpoint.family == 0) continue;
    const HostAddress address = addressOf(endpoint);
    UniqueFd socket(::socket(endpoint.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) raiseErrno("socket");
    error = connectBy(socket.get(), address, deadline);
    sendAtOnce(socket.get());
    if (error == 0)
      log::info(log::Subsystem::Bootstrap, "communicator {:08x}: joining at {}", id.tag & 0xffffffff, toText(endpoint));
    if (error == 0) return Line(std::move(socket), toText(endpoint), deadline, watch);
    tried += formatText("{}{}: {}", tried.empty() ? "" : "; ", toText(endpoint), connectText(error));
  }
  require(!tried.empty(), "unique id: it has no endpoint; pass the 128 bytes of ulyssesGetUniqueId unchanged");
  throw NotYet(
      error == ETIMEDOUT && deadline.passed() ? Result::Timeout : Result::SystemError,
      formatText("connecting to the rendezvous failed ({}); the process that called ulyssesGetUniqueId must be alive "
                 "and be reachable from here (ULYSSES_INTERFACE there), and an id serves one communicator",
                 tried),
      tried);
}

/// Both ends prove that they have the secret; only then does this one say who it is.
Session shakeHands(Line& line, const UniqueId& id, const RankInfo& own, Patience patience) {
  Session session{id.secret, id.tag, {}, {}};
  Hello hello;
  hello.tag = id.tag;
  fillRandom(hello.nonce.data(), hello.nonce.size());
  line.send(hello);
  session.rank = hello.nonce;
  faultPoint("join.hello_sent");
  const Challenge challenge = line.receive<Challenge>();
  session.root = challenge.nonce;
  if (challenge.otherId)
    throw NotYet(Result::InvalidArgument,
                 formatText("the rendezvous at {} serves another unique id: this one is of an earlier run or was mixed "
                            "up; pass all ranks the id that ulyssesGetUniqueId made for this communicator",
                            line.where()),
                 line.where() + ": another communicator or job is served there");
  line.setServed();
  if (!sameProof(challenge.proof, session.rootProof()))
    raise(Result::SystemError, "what answers at {} does not have the secret of this unique id{}", line.where(),
          patience == Patience::RootMayComeLater ? ": ULYSSES_SECRET_FILE must hold the same bytes at all ranks" : "");
  Introduction introduction;
  introduction.infoBytes = sizeof own;
  introduction.proof = session.rankProof(bytesOf(own));
  line.send(introduction);
  faultPoint("join.half_introduced");
  line.send(own);
  return session;
}

struct Contact {
  Line line;
  Session session;
};

Contact meetRoot(const UniqueId& id, const RankInfo& own, Deadline deadline, const std::function<void()>& watch,
                 Patience patience) {
  constexpr int kFirstPauseMs = 5, kLongestPauseMs = 100;
  for (int pauseMs = kFirstPauseMs;; pauseMs = std::min(2 * pauseMs, kLongestPauseMs)) {
    try {
      Line line = connectTo(id, deadline, watch);
      const Session session = shakeHands(line, id, own, patience);
      return {std::move(line), session};
    } catch (const NotYet& error) {
      if (patience == Patience::RootIsThere) throw;
      if (deadline.passed())
        raise(Result::Timeout,
              "rank 0 was not met before the deadline ({}); look why it did not start or has failed, whether all ranks "
              "have the same address and port (ULYSSES_ROOT, or MASTER_ADDR and ULYSSES_PORT) and made as many "
              "communicators before, or raise init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
              error.reason);
    }
    if (watch) watch();
    poll(nullptr, 0, deadline.leftMs(pauseMs));
  }
}

}  // namespace

Membership joinRendezvous(const UniqueId& id, const RankInfo& own, Deadline deadline,
                          const std::function<void()>& watch, Patience patience) {
  auto [line, session] = meetRoot(id, own, deadline, watch, patience);
  const Welcome welcome = line.receive<Welcome>();
  Membership membership;
  if (welcome.result == 0) {
    if (welcome.nRanks != own.nRanks || welcome.infoBytes != sizeof(RankInfo))
      raise(Result::InternalError, "the rendezvous counts {} ranks of {} bytes", welcome.nRanks, welcome.infoBytes);
    membership.ranks.resize(static_cast<size_t>(own.nRanks));
    line.transfer(membership.ranks.data(), membership.ranks.size() * sizeof(RankInfo), false);
  }
  if (!sameProof(welcome.proof, session.welcomeProof(welcome, std::as_bytes(std::span(membership.ranks)))))
    raise(Result::SystemError, "the answer of the rendezvous at {} was changed on its way", line.where());
  if (welcome.result != 0) throw Error(static_cast<Result>(welcome.result), textFrom(welcome.text));
  membership.meshToken = hmac(id.secret, "ulysses mesh", {bytesOf(id.tag), bytesOf(welcome.meshNonce)});
  return membership;
}

}  // namespace ulysses
