// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/bootstrap/listening.h"

#include <poll.h>

#include <cstring>

#include "base/check.h"

namespace ulysses {
namespace {

[[noreturn]] void raiseBind(const HostAddress& address, int error) {
  raise(Result::SystemError, "the rendezvous cannot listen on {} ({}): {} (errno {}){}",
        toText(endpointOf(address.storage)), address.interface, std::strerror(error), error,
        error == EADDRINUSE
            ? "; every port of net.ipv4.ip_local_port_range is in use there: widen it, or select another "
              "interface with ULYSSES_INTERFACE"
            : "");
}

enum class Port { Given, OfTheKernelsChoice };

/// Listens; 0 or an errno.
int tryListen(const HostAddress& address, Port port, UniqueFd& listener) {
  listener = UniqueFd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) raiseErrno("socket");
  const int on = port == Port::Given;
  // Old connections of a given port must not keep a new job from it. Two listeners still exclude each other.
  if (setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) raiseErrno("setsockopt(SO_REUSEADDR)");
  return bind(listener.get(), address.get(), address.size) == 0 && listen(listener.get(), SOMAXCONN) == 0 ? 0 : errno;
}

}  // namespace

UniqueFd listenAt(const HostAddress& address, UniqueId::Endpoint& endpoint) {
  UniqueFd listener;
  if (const int error = tryListen(address, Port::OfTheKernelsChoice, listener)) raiseBind(address, error);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) raiseErrno("getsockname");
  endpoint = endpointOf(bound);
  return listener;
}

UniqueFd listenAtGiven(const UniqueId::Endpoint& endpoint, int* error, Deadline deadline) {
  constexpr int kPauseMs = 5;
  const HostAddress address = addressOf(endpoint);
  UniqueFd listener;
  while ((*error = tryListen(address, Port::Given, listener)) == EADDRINUSE && !deadline.passed())
    poll(nullptr, 0, deadline.leftMs(kPauseMs));
  if (*error) return {};
  return listener;
}

void raiseCannotListen(const UniqueId::Endpoint& endpoint, const std::string& origin, int error) {
  if (error == EADDRINUSE)
    raise(Result::SystemError,
          "{}: port {} is in use on this host; give another one, best below those of net.ipv4.ip_local_port_range (any "
          "outgoing connection may take one of these), or end the program that listens there (ss -ltnp shows it)",
          origin, endpoint.port);
  if (error == EADDRNOTAVAIL)
    raise(Result::SystemError,
          "{}: {} is no address of this host, and rank 0 is here; name an address of the host of rank 0", origin,
          toText(endpoint));
  raise(Result::SystemError, "{}: listening at {} failed: {} (errno {})", origin, toText(endpoint),
        std::strerror(error), error);
}

}  // namespace ulysses
