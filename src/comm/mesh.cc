// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/mesh.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/text.h"

namespace ulysses {
namespace {

struct Address {
  sockaddr_un address{};
  socklen_t size;
  explicit Address(const std::string& name) {
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());  // a leading 0: abstract; the name is ours and short
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// Callers that have not said who they are. When so many are there, one that has said nothing for a while makes room: a
// rank's greeting comes with its call.
constexpr size_t kMostCallers = 64;
constexpr int64_t kPatienceMs = 250;

/// Of accept: this process or machine has no descriptor or memory left, and waiting does not help.
bool isExhausted(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

struct Greeting {
  int32_t rank;
  Secret token;
};

/// Who is at the other end, by the kernel's word.
ucred credentialsOf(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) raiseErrno("SO_PEERCRED");
  return credentials;
}

/// Waits its turn where many call at once, but not beyond a short time, so that the deadline is looked at.
UniqueFd callingSocket() {
  constexpr timeval kTurn{0, 20'000};
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) raiseErrno("socket(AF_UNIX)");
  if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kTurn, sizeof kTurn) != 0) raiseErrno("SO_SNDTIMEO");
  return socket;
}

}  // namespace

MeshListener::MeshListener() : socket_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (!socket_) raiseErrno("socket(AF_UNIX)");
  uint64_t random[1];
  fillRandom(random, sizeof random);
  name_ = formatText("ulysses-{:016x}", random[0]);
  const Address address(name_);
  if (bind(socket_.get(), address.get(), address.size) != 0) raiseErrno("bind of a local socket");
  if (listen(socket_.get(), SOMAXCONN) != 0) raiseErrno("listen on a local socket");
}

std::unique_ptr<ShmPeer> MeshListener::call(const Membership& membership, int own, int rank, Deadline deadline) {
  const RankInfo& peer = membership.ranks[static_cast<size_t>(rank)];
  UniqueFd socket = callingSocket();
  const Address address(textFrom(peer.meshName));
  while (::connect(socket.get(), address.get(), address.size) != 0) {
    if (errno != EAGAIN && errno != EINTR)
      raise(Result::RemoteLost,
            "rank {} (host {}, pid {}) cannot be reached: {}; it has gone, or has another network namespace", peer.rank,
            peer.host, peer.pid, std::strerror(errno));
    if (deadline.passed())
      raise(Result::Timeout, "rank {} (host {}, pid {}) did not take our call before the deadline; is it stopped?",
            peer.rank, peer.host, peer.pid);
    membership.watch();
  }
  const ucred callee = credentialsOf(socket.get());
  if (callee.uid != geteuid())  // a token is for ranks only
    raise(Result::SystemError,
          "rank {} (host {}, pid {}) runs as user {}, rank {} as user {}; run all ranks as one user (containers: with "
          "the same user mapping)",
          peer.rank, peer.host, peer.pid, callee.uid, own, geteuid());
  const Greeting greeting{own, membership.meshToken};
  if (send(socket.get(), &greeting, sizeof greeting, MSG_NOSIGNAL) != sizeof greeting)
    raise(Result::RemoteLost,
          "rank {} (host {}, pid {}) hung up: it failed or ended while the communicator was being made", peer.rank,
          peer.host, peer.pid);
  return std::make_unique<ShmPeer>(peer.rank, callee.pid, std::move(socket), peer.pid);
}

/// The next caller that turns out to be a rank, or nothing by the deadline. Callers are heard side by side, so that one
/// that says nothing holds up nobody.
std::unique_ptr<ShmPeer> MeshListener::answer(const Membership& membership, Deadline deadline) {
  while (!deadline.passed()) {
    const bool full = !makeRoom();
    std::vector<pollfd> polls{{socket_.get(), static_cast<short>(full ? 0 : POLLIN), 0}};
    for (const Caller& caller : callers_) polls.push_back({caller.socket.get(), POLLIN, 0});
    poll(polls.data(), polls.size(), deadline.leftMs(full ? 10 : 20));
    membership.watch();
    std::unique_ptr<ShmPeer> peer;
    for (size_t i = 1; i < polls.size() && !peer; ++i)
      if (polls[i].revents) peer = greet(std::move(callers_[i - 1].socket), membership);
    std::erase_if(callers_, [](const Caller& caller) { return !caller.socket; });
    if (peer) return peer;
    if (polls[0].revents & POLLIN) takeIn();
  }
  return nullptr;
}

/// Whether another caller may be taken in.
bool MeshListener::makeRoom() {
  if (callers_.size() < kMostCallers) return true;
  const auto silent =
      std::find_if(callers_.begin(), callers_.end(), [](const Caller& caller) { return caller.patience.passed(); });
  if (silent == callers_.end()) return false;
  callers_.erase(silent);
  return true;
}

/// Another user's calls are no rank's: they go at once, however many there are.
void MeshListener::takeIn() {
  for (int i = 0; i < SOMAXCONN && callers_.size() < kMostCallers; ++i) {
    UniqueFd caller(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!caller && isExhausted(errno)) raiseErrno("accepting a rank's local socket");
    if (!caller) return;
    if (credentialsOf(caller.get()).uid == geteuid())
      callers_.push_back({std::move(caller), Deadline::inMs(kPatienceMs)});
  }
}

/// The rank behind a caller that has spoken; a stranger is hung up on.
std::unique_ptr<ShmPeer> MeshListener::greet(UniqueFd socket, const Membership& membership) {
  Greeting greeting{};
  const bool known = recv(socket.get(), &greeting, sizeof greeting, MSG_DONTWAIT) == sizeof greeting &&
                     greeting.token == membership.meshToken && greeting.rank >= 0 &&
                     greeting.rank < std::ssize(membership.ranks);
  if (!known) return nullptr;
  const pid_t pid = credentialsOf(socket.get()).pid;
  return std::make_unique<ShmPeer>(greeting.rank, pid, std::move(socket),
                                   membership.ranks[static_cast<size_t>(greeting.rank)].pid);
}

/// "rank 2 (host h, pid 7), ..." of the higher ranks that have not called.
std::string MeshListener::missingText(const std::vector<std::unique_ptr<ShmPeer>>& peers, const Membership& membership,
                                      std::span<const int> ranks, int own) {
  std::string text;
  for (const int rank : ranks) {
    const RankInfo& info = membership.ranks[static_cast<size_t>(rank)];
    if (rank > own && !peers[static_cast<size_t>(rank)])
      text += formatText("{}rank {} (host {}, pid {})", text.empty() ? "" : ", ", rank, info.host, info.pid);
  }
  return text;
}

void MeshListener::connect(const Membership& membership, std::span<const int> ranks, int own, Deadline deadline,
                           std::vector<std::unique_ptr<ShmPeer>>& peers) {
  peers.resize(membership.ranks.size());
  int missing = 0;
  for (const int rank : ranks) {
    if (rank < own) peers[static_cast<size_t>(rank)] = call(membership, own, rank, deadline);
    missing += rank > own;
  }
  while (missing > 0) {
    auto peer = answer(membership, deadline);
    if (!peer)
      raise(Result::Timeout, "{} did not connect before the deadline", missingText(peers, membership, ranks, own));
    const size_t place = static_cast<size_t>(peer->rank());
    const bool isAwaited = peer->rank() > own && std::ranges::find(ranks, peer->rank()) != ranks.end();
    if (peers[place] || !isAwaited) continue;  // a rank of the job that lies; the first one stays
    peers[place] = std::move(peer);
    --missing;
    faultPoint("init.half_connected");
  }
}

}  // namespace ulysses
