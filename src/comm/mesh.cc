// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/mesh.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "base/check.h"
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

struct Greeting {
  int32_t rank;
  Secret token;
};

/// The process at the other end by the kernel's word; throws when it is another user's.
pid_t peerPid(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) raiseErrno("SO_PEERCRED");
  if (credentials.uid != geteuid())
    raise(Result::SystemError, "a rank's local socket belongs to user {}, not to {}; run all ranks as one user",
          credentials.uid, geteuid());
  return credentials.pid;
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

std::unique_ptr<ShmPeer> MeshListener::call(const RankInfo& peer, int own, const Secret& token, Deadline deadline) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) raiseErrno("socket(AF_UNIX)");
  const Address address(textFrom(peer.meshName));
  while (::connect(socket.get(), address.get(), address.size) != 0) {
    if (errno != EAGAIN && errno != EINTR)
      raise(Result::RemoteLost,
            "rank {} (host {}, pid {}) cannot be reached: {}; it has gone, or has another network namespace", peer.rank,
            peer.host, peer.pid, std::strerror(errno));
    if (deadline.passed()) raise(Result::Timeout, "rank {} (pid {}) does not take calls", peer.rank, peer.pid);
    usleep(1000);
  }
  const Greeting greeting{own, token};
  const pid_t pid = peerPid(socket.get());
  if (send(socket.get(), &greeting, sizeof greeting, MSG_NOSIGNAL) != sizeof greeting) raiseErrno("greeting a rank");
  return std::make_unique<ShmPeer>(peer.rank, pid, std::move(socket), peer.pid);
}

/// The next caller that turns out to be a rank, or nothing by the deadline. Callers are heard side by side, so that one
/// that says nothing holds up nobody.
std::unique_ptr<ShmPeer> MeshListener::answer(const Membership& membership, Deadline deadline) {
  while (!deadline.passed()) {
    std::vector<pollfd> polls{{socket_.get(), POLLIN, 0}};
    for (const UniqueFd& caller : callers_) polls.push_back({caller.get(), POLLIN, 0});
    poll(polls.data(), polls.size(), deadline.leftMs(1000));
    std::unique_ptr<ShmPeer> peer;
    for (size_t i = 1; i < polls.size() && !peer; ++i)
      if (polls[i].revents) peer = greet(callers_[i - 1], membership);
    std::erase_if(callers_, [](const UniqueFd& caller) { return !caller; });
    if (peer) return peer;
    UniqueFd caller(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (caller) callers_.push_back(std::move(caller));
  }
  return nullptr;
}

/// The rank behind a caller that has spoken; a stranger is hung up on.
std::unique_ptr<ShmPeer> MeshListener::greet(UniqueFd& caller, const Membership& membership) {
  UniqueFd socket = std::move(caller);
  Greeting greeting{};
  const bool known = recv(socket.get(), &greeting, sizeof greeting, MSG_DONTWAIT) == sizeof greeting &&
                     greeting.token == membership.meshToken && greeting.rank >= 0 &&
                     greeting.rank < std::ssize(membership.ranks);
  if (!known) return nullptr;
  const pid_t pid = peerPid(socket.get());
  return std::make_unique<ShmPeer>(greeting.rank, pid, std::move(socket),
                                   membership.ranks[static_cast<size_t>(greeting.rank)].pid);
}

std::vector<std::unique_ptr<ShmPeer>> MeshListener::connect(const Membership& membership, int own, Deadline deadline) {
  std::vector<std::unique_ptr<ShmPeer>> peers(membership.ranks.size());
  for (int rank = 0; rank < own; ++rank)
    peers[static_cast<size_t>(rank)] =
        call(membership.ranks[static_cast<size_t>(rank)], own, membership.meshToken, deadline);
  for (int missing = static_cast<int>(std::ssize(peers)) - 1 - own; missing > 0; --missing) {
    auto peer = answer(membership, deadline);
    if (!peer) raise(Result::Timeout, "{} higher ranks did not connect before the deadline", missing);
    const size_t place = static_cast<size_t>(peer->rank());
    if (peers[place] || peer->rank() <= own) raise(Result::InternalError, "rank {} connected twice", place);
    peers[place] = std::move(peer);
  }
  return peers;
}

}  // namespace ulysses
