// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/socket.h>

#include <string>
#include <vector>

#include "comm/bootstrap/unique_id.h"

namespace ulysses {

/// An address of a network interface of this host, in the form that sockets take.
struct HostAddress {
  std::string interface;
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// "10.0.0.1" or "fe80::1".
std::string hostText(const sockaddr_storage& address);

/// "10.0.0.1:4711" or "[fe80::1]:4711".
std::string toText(const UniqueId::Endpoint& endpoint);

UniqueId::Endpoint endpointOf(const sockaddr_storage& address);
/// Throws InvalidArgument for a family that is neither.
HostAddress addressOf(const UniqueId::Endpoint& endpoint);

/// Addresses of the interface that `selection` names, or the one address that it is: IPv4 first. Never an address that
/// stands for all interfaces. Throws InvalidArgument naming the candidates.
std::vector<HostAddress> addressesOf(const std::string& selection);

/// Where this host would send from: "10.0.0.2 (eth0)", or "no interface" when it has no route to there.
std::string sourceOf(const HostAddress& destination);

/// No waiting for more to send: each message of a handshake is answered.
void sendAtOnce(int socket) noexcept;

}  // namespace ulysses
