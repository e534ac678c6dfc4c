// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>

namespace ulysses::test {

namespace {

std::int64_t nowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

int tcpSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw std::runtime_error("proxy: no socket");
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// Whether the offset lies in the `bytes` from `taken` on.
bool isIn(std::int64_t offset, std::int64_t taken, std::size_t bytes) {
  return offset >= taken && offset - taken < static_cast<std::int64_t>(bytes);
}

}  // namespace

TcpProxy::TcpProxy(const sockaddr_storage& server, Choose choose, std::uint64_t seed)
    : server_(server), choose_(std::move(choose)), random_(seed), listener_(tcpSocket(AF_INET)) {
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  auto* address = reinterpret_cast<sockaddr*>(&own);
  if (bind(listener_, address, size) != 0 || listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, address, &size) != 0)
    throw std::runtime_error("proxy: cannot listen");
  port_ = ntohs(own.sin_port);
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  stop_.store(true);
  thread_.join();
  for (const auto& c : live_) end(*c, false);
  loseServer();
}

std::string TcpProxy::sentToServer(int connection) const {
  const std::lock_guard lock(mutex_);
  return transcripts_.at(static_cast<std::size_t>(connection));
}

void TcpProxy::run() {
  while (!stop_.load()) pollOnce();
}

int TcpProxy::timeoutMs() const {
  std::int64_t next = nowNs() + 20'000'000;
  for (const auto& c : live_) {
    if (c->server < 0) next = std::min(next, c->connectNs);
    for (const Stream* s : {&c->up, &c->down})
      if (!s->queue.empty()) next = std::min(next, s->queue.front().dueNs);
  }
  return static_cast<int>(std::max<std::int64_t>(0, (next - nowNs() + 999'999) / 1'000'000));
}

void TcpProxy::pollOnce() {
  std::vector<pollfd> polls{{listener_, POLLIN, 0}};
  for (const auto& c : live_)
    for (const Stream* s : {&c->up, &c->down}) polls.push_back({s->ended ? -1 : s->from, POLLIN, 0});
  poll(polls.data(), polls.size(), timeoutMs());
  const std::size_t known = live_.size();
  for (std::size_t i = 0; i < known; ++i) {
    Connection& c = *live_[i];
    if (polls[1 + 2 * i].revents && !c.dead) take(c, c.up);
    if (polls[2 + 2 * i].revents && !c.dead) take(c, c.down);
    if (c.server < 0 && !c.dead && nowNs() >= c.connectNs) connectServer(c);
    if (!c.dead) give(c, c.up);
    if (!c.dead) give(c, c.down);
    if (!c.dead && c.up.shut && c.down.shut) end(c, false);
  }
  std::erase_if(live_, [](const auto& c) { return c->dead; });
  if (polls[0].revents) accept();
}

void TcpProxy::accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  const int on = 1;
  (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto c = std::make_unique<Connection>();
  c->index = connections_.load();
  c->client = client;
  c->faults = choose_(c->index);
  c->connectNs = nowNs() + c->faults.acceptDelayMs * 1'000'000;
  c->up.from = c->down.to = client;
  c->up.faults = c->faults.toServer;
  c->down.faults = c->faults.toClient;
  {
    const std::lock_guard lock(mutex_);
    transcripts_.emplace_back();
  }
  connections_.fetch_add(1);
  live_.push_back(std::move(c));
}

/// Loopback: this does not wait. A server that is gone makes the proxy go too, so that clients see it.
void TcpProxy::connectServer(Connection& c) {
  c.server = tcpSocket(server_.ss_family);
  const socklen_t size = server_.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (connect(c.server, reinterpret_cast<const sockaddr*>(&server_), size) != 0 && errno != EINPROGRESS) {
    loseServer();
    return end(c, true);
  }
  c.up.to = c.down.from = c.server;
}

void TcpProxy::loseServer() {
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
}

void TcpProxy::take(Connection& c, Stream& s) {
  char buffer[4096];
  const ssize_t got = recv(s.from, buffer, sizeof buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) {
    if (errno == ECONNREFUSED) loseServer();
    return end(c, true);
  }
  if (got == 0) {
    s.ended = true;
    return;
  }
  std::string bytes(buffer, static_cast<std::size_t>(got));
  if (&s == &c.up) {
    const std::lock_guard lock(mutex_);
    transcripts_[static_cast<std::size_t>(c.index)] += bytes;
  }
  const StreamFaults& f = s.faults;
  const std::int64_t before = s.taken;
  s.taken += got;
  if (isIn(f.corruptAt, before, bytes.size())) bytes[static_cast<std::size_t>(f.corruptAt - before)] ^= 4;
  for (const std::int64_t stop : {f.resetAt, f.closeAt, f.blackholeAt})
    if (stop >= 0 && s.taken > stop)
      bytes.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(stop - before, got))));
  enqueue(s, std::move(bytes));
}

void TcpProxy::enqueue(Stream& s, std::string bytes) {
  const std::size_t step = s.faults.singleBytes ? 1 : std::max<std::size_t>(1, bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const auto jitter = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(s.faults.jitterMs + 1));
    s.lastDueNs = std::max(s.lastDueNs, nowNs() + (s.faults.delayMs + jitter) * 1'000'000);
    s.queue.push_back({s.lastDueNs, bytes.substr(at, step)});
  }
}

void TcpProxy::give(Connection& c, Stream& s) {
  while (!s.queue.empty() && s.to >= 0 && s.queue.front().dueNs <= nowNs()) {
    std::string& bytes = s.queue.front().bytes;
    const ssize_t sent = send(s.to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINTR)) return;
    if (sent < 0) {
      if (errno == ECONNREFUSED) loseServer();
      return end(c, true);
    }
    bytes.erase(0, static_cast<std::size_t>(sent));
    if (bytes.empty()) s.queue.pop_front();
  }
  if (!s.queue.empty() || s.to < 0) return;
  if (s.faults.resetAt >= 0 && s.taken >= s.faults.resetAt) return end(c, true);
  const bool closes = s.ended || (s.faults.closeAt >= 0 && s.taken >= s.faults.closeAt);
  const bool lost = s.faults.blackholeAt >= 0 && s.taken >= s.faults.blackholeAt;
  if (!closes || lost || s.shut) return;
  s.shut = true;
  shutdown(s.to, SHUT_WR);
}

void TcpProxy::end(Connection& c, bool reset) {
  const linger hard{1, 0};
  for (const int fd : {c.client, c.server}) {
    if (fd < 0) continue;
    if (reset) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
  }
  c.client = c.server = -1;
  c.dead = true;
}

}  // namespace ulysses::test
