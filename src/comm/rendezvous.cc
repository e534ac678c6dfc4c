// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The joining side of the rendezvous.
#include "comm/rendezvous.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "base/check.h"
#include "comm/rendezvous_wire.h"
#include "path/record.h"

namespace ulysses {
namespace {

UniqueFd connectTo(const UniqueId::Endpoint& endpoint, Deadline deadline) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::memcpy(&address.sin_addr, endpoint.address, sizeof address.sin_addr);
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) raiseErrno("socket");
  int error = connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd entry{socket.get(), POLLOUT, 0};
    while (poll(&entry, 1, deadline.leftMs(1000)) <= 0)
      if (deadline.passed())
        raise(Result::Timeout, "connecting to the rendezvous at {}:{} took too long", text, endpoint.port);
    socklen_t size = sizeof error;
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0)
    raise(Result::SystemError,
          "connecting to the rendezvous at {}:{} failed: {}; the process that called ulyssesGetUniqueId must be alive "
          "on this "
          "host, and an id serves one communicator",
          text, endpoint.port, std::strerror(error));
  return socket;
}

void transfer(int socket, void* data, size_t bytes, bool sending, Deadline deadline) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t moved = sending ? send(socket, at, bytes, MSG_NOSIGNAL) : recv(socket, at, bytes, 0);
    if (moved > 0) {
      at += moved;
      bytes -= static_cast<size_t>(moved);
      continue;
    }
    if (moved == 0 || (errno != EAGAIN && errno != EINTR))
      raise(Result::SystemError,
            "the rendezvous closed the connection; is this id of another library version, or used twice?");
    if (deadline.passed()) raise(Result::Timeout, "the rendezvous did not answer before the deadline");
    pollfd entry{socket, static_cast<short>(sending ? POLLOUT : POLLIN), 0};
    poll(&entry, 1, deadline.leftMs(1000));
  }
}

}  // namespace

Membership joinRendezvous(const UniqueId& id, const RankInfo& own, Deadline deadline) {
  const UniqueFd socket = connectTo(id.endpoints[0], deadline);
  HelloMessage hello;
  hello.wireVersion = kWireVersion;
  hello.secret = id.secret;
  hello.info = own;
  transfer(socket.get(), &hello, sizeof hello, true, deadline);
  WelcomeMessage welcome;
  transfer(socket.get(), &welcome, sizeof welcome, false, deadline);
  if (welcome.magic != WelcomeMessage::kMagic)
    raise(Result::SystemError, "the rendezvous answered with something else");
  welcome.text[sizeof welcome.text - 1] = 0;
  if (welcome.result != 0) throw Error(static_cast<Result>(welcome.result), welcome.text);
  if (welcome.nRanks != own.nRanks) raise(Result::InternalError, "the rendezvous counts {} ranks", welcome.nRanks);
  Membership membership;
  membership.meshToken = welcome.meshToken;
  membership.ranks.resize(static_cast<size_t>(own.nRanks));
  transfer(socket.get(), membership.ranks.data(), membership.ranks.size() * sizeof(RankInfo), false, deadline);
  return membership;
}

}  // namespace ulysses
