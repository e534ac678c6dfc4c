// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The serving side of the rendezvous: one thread, all connections at once, so that one slow or foreign connection holds
// up nobody.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/rendezvous_wire.h"
#include "path/record.h"

namespace ulysses {
namespace {

constexpr int64_t kHelloMs = 5000;          // for one connection to say who it is
constexpr int64_t kIdleMs = 24 * 3600'000;  // an id that nobody presents
constexpr size_t kMostPending = 256;        // connections that have not said who they are

struct Connection {
  UniqueFd socket;
  Deadline helloDeadline;
  HelloMessage hello;
  size_t received = 0;
  bool joined = false;
};

class Root {
 public:
  Root(UniqueFd listener, const UniqueId& id) : listener_(std::move(listener)), id_(id) {}

  void run() {
    Deadline deadline = Deadline::inMs(kIdleMs);
    while (!finished_) {
      if (deadline.passed()) return joined_ == 0 ? void() : answerAll(Result::Timeout, missingText());
      pollOnce(deadline);
      if (joined_ == 1 && !deadlineSet_) {
        deadlineSet_ = true;
        deadline = Deadline::inMs(firstInfo().initTimeoutMs);
      }
    }
  }

 private:
  void pollOnce(Deadline deadline) {
    polls_.assign(1, {listener_.get(), POLLIN, 0});
    for (const Connection& c : connections_) polls_.push_back({c.socket.get(), POLLIN, 0});
    if (poll(polls_.data(), polls_.size(), deadline.leftMs(200)) < 0 && errno != EINTR) raiseErrno("poll");
    const size_t known = connections_.size();
    for (size_t i = 0; i < known && !finished_; ++i)
      if (polls_[i + 1].revents) receive(connections_[i]);
    std::erase_if(connections_,
                  [](const Connection& c) { return !c.socket || (!c.joined && c.helloDeadline.passed()); });
    if (polls_[0].revents & POLLIN) accept();
  }

  void accept() {
    UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket || connections_.size() >= kMostPending + static_cast<size_t>(joined_)) return;
    connections_.push_back({std::move(socket), Deadline::inMs(kHelloMs), {}, 0, false});
  }

  void receive(Connection& c) {
    char extra;
    void* to = c.joined ? static_cast<void*>(&extra) : reinterpret_cast<char*>(&c.hello) + c.received;
    const size_t room = c.joined ? sizeof extra : sizeof c.hello - c.received;
    const ssize_t bytes = recv(c.socket.get(), to, room, 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c.joined) return loseMember(c);
    if (bytes <= 0) return c.socket.reset();
    c.received += static_cast<size_t>(bytes);
    if (c.received == sizeof c.hello) join(c);
  }

  /// A member must stay and wait for its answer: one that goes has died or given up.
  void loseMember(Connection& c) {
    const RankInfo info = c.hello.info;
    c.socket.reset();
    answerAll(Result::RemoteLost, formatText("rank {} (host {}, pid {}) left while the communicator was being made",
                                             info.rank, info.host, info.pid));
  }

  void join(Connection& c) {
    const RankInfo& info = c.hello.info;
    // Strangers learn nothing, not even that this is a rendezvous.
    if (c.hello.magic != HelloMessage::kMagic || c.hello.secret != id_.secret) return c.socket.reset();
    c.joined = true;
    ++joined_;
    if (const auto problem = problemWith(c)) return answerAll(Result::InvalidArgument, *problem);
    if (joined_ == info.nRanks) answerAll(Result::Success, "");
  }

  std::optional<std::string> problemWith(const Connection& c) const {
    const RankInfo& info = c.hello.info;
    const RankInfo& first = firstInfo();
    if (c.hello.wireVersion != kWireVersion || info.libraryVersion != first.libraryVersion)
      return formatText(
          "rank {} (pid {}) runs library version {}, rank {} (pid {}) version {}; use one version everywhere",
          info.rank, info.pid, info.libraryVersion, first.rank, first.pid, first.libraryVersion);
    if (info.nRanks != first.nRanks)
      return formatText("nRanks: rank {} (pid {}) passed {}, rank {} (pid {}) passed {}; all ranks must pass the same",
                        first.rank, first.pid, first.nRanks, info.rank, info.pid, info.nRanks);
    if (info.rank < 0 || info.rank >= info.nRanks)
      return formatText("rank={} (pid {}): want 0..{}", info.rank, info.pid, info.nRanks - 1);
    for (const Connection& other : connections_)
      if (&other != &c && other.joined && other.hello.info.rank == info.rank)
        return formatText("rank {} was given twice, to pid {} and pid {} on host {}; give every process its own",
                          info.rank, other.hello.info.pid, info.pid, info.host);
    return std::nullopt;
  }

  const RankInfo& firstInfo() const {
    return std::find_if(connections_.begin(), connections_.end(), [](const Connection& c) { return c.joined; })
        ->hello.info;
  }

  std::string missingText() const {
    const int nRanks = firstInfo().nRanks;
    std::vector<bool> here(static_cast<size_t>(nRanks));
    for (const Connection& c : connections_)
      if (c.joined) here[static_cast<size_t>(c.hello.info.rank)] = true;
    std::string missing;
    for (int rank = 0; rank < nRanks; ++rank)
      if (!here[static_cast<size_t>(rank)]) missing += formatText("{}{}", missing.empty() ? "" : ", ", rank);
    return formatText(
        "{} of {} ranks joined before the deadline; missing: {}. Look why they did not start, or raise "
        "init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)",
        joined_, nRanks, missing);
  }

  void answerAll(Result result, const std::string& text) {
    WelcomeMessage welcome;
    welcome.result = static_cast<int32_t>(result);
    copyText(welcome.text, text);
    std::vector<RankInfo> table;
    if (result == Result::Success) {
      table.resize(static_cast<size_t>(joined_));
      for (const Connection& c : connections_)
        if (c.joined) table[static_cast<size_t>(c.hello.info.rank)] = c.hello.info;
      welcome.nRanks = joined_;
      fillRandom(welcome.meshToken.data(), welcome.meshToken.size());
    }
    for (const Connection& c : connections_) {
      if (!c.joined || !c.socket) continue;
      sendAll(c.socket.get(), &welcome, sizeof welcome);
      sendAll(c.socket.get(), table.data(), table.size() * sizeof(RankInfo));
    }
    finished_ = true;
  }

  /// A table is far smaller than a fresh socket's buffer, so this does not wait for a reader that never comes.
  static void sendAll(int socket, const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    const Deadline deadline = Deadline::inMs(kHelloMs);
    while (bytes > 0 && !deadline.passed()) {
      const ssize_t sent = send(socket, at, bytes, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return;
      if (sent < 0) {
        pollfd room{socket, POLLOUT, 0};
        poll(&room, 1, 100);
        continue;
      }
      at += sent;
      bytes -= static_cast<size_t>(sent);
    }
  }

  UniqueFd listener_;
  UniqueId id_;
  std::vector<Connection> connections_;
  std::vector<pollfd> polls_;
  int joined_ = 0;
  bool finished_ = false, deadlineSet_ = false;
};

}  // namespace

void fillRandom(void* data, size_t bytes) {
  if (getrandom(data, bytes, 0) != static_cast<ssize_t>(bytes)) raiseErrno("getrandom");
}

UniqueId openRendezvous() {
  UniqueId id;
  id.wireVersion = kWireVersion;
  fillRandom(&id.tag, sizeof id.tag);
  fillRandom(id.secret.data(), id.secret.size());
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) raiseErrno("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.get(), generic, size) != 0) raiseErrno("bind to loopback");
  if (listen(listener.get(), SOMAXCONN) != 0) raiseErrno("listen");
  if (getsockname(listener.get(), generic, &size) != 0) raiseErrno("getsockname");
  id.endpoints[0].family = AF_INET;
  id.endpoints[0].port = ntohs(address.sin_port);
  std::memcpy(id.endpoints[0].address, &address.sin_addr, sizeof address.sin_addr);
  std::thread([root = Root(std::move(listener), id)]() mutable {
    try {
      root.run();
    } catch (const std::exception& error) {
      log::warn("rendezvous: {}", error.what());
    }
  }).detach();
  return id;
}

}  // namespace ulysses
