// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "base/format.h"

namespace ulysses::nccl {

SocketAddress SocketAddress::from(const sockaddr* address) noexcept {
  SocketAddress made;
  made.family = address->sa_family;
  if (address->sa_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, address, sizeof four);
    made.port = four.sin_port;
    std::memcpy(made.ip.data(), &four.sin_addr, sizeof four.sin_addr);
  } else if (address->sa_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, address, sizeof six);
    made.port = six.sin6_port;
    made.scope = six.sin6_scope_id;
    std::memcpy(made.ip.data(), &six.sin6_addr, sizeof six.sin6_addr);
  }
  return made;
}

socklen_t SocketAddress::into(sockaddr_storage& to) const noexcept {
  to = {};
  if (family == AF_INET) {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = port;
    std::memcpy(&four.sin_addr, ip.data(), sizeof four.sin_addr);
    std::memcpy(&to, &four, sizeof four);
    return sizeof four;
  }
  if (family == AF_INET6) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = port;
    six.sin6_scope_id = scope;
    std::memcpy(&six.sin6_addr, ip.data(), sizeof six.sin6_addr);
    std::memcpy(&to, &six, sizeof six);
    return sizeof six;
  }
  return 0;
}

std::string SocketAddress::text() const {
  char host[INET6_ADDRSTRLEN] = "?";
  inet_ntop(family, ip.data(), host, sizeof host);
  return family == AF_INET6 ? formatText("[{}]:{}", host, ntohs(port)) : formatText("{}:{}", host, ntohs(port));
}

}  // namespace ulysses::nccl
