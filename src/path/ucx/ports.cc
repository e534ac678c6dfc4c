// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ucx/ports.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/unique_fd.h"

namespace ulysses {
namespace {

bool isUp(const ifaddrs& interface) {
  return interface.ifa_addr && interface.ifa_addr->sa_family == AF_INET && (interface.ifa_flags & IFF_UP) != 0;
}

/// A socket that listens at any port of that address; none when no port is left. What else is wrong is UCX's to tell.
bool listens(UniqueFd& socket, sockaddr_in address) {
  address.sin_port = 0;
  socket = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return !socket || bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno != EADDRINUSE;
}

}  // namespace

void requireFreePorts() {
  ifaddrs* found = nullptr;
  if (getifaddrs(&found) != 0) return;  // as above
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> interfaces(found, &freeifaddrs);
  std::vector<UniqueFd> sockets;
  for (const ifaddrs* each = found; each; each = each->ifa_next) {
    if (!isUp(*each)) continue;
    if (!listens(sockets.emplace_back(), *reinterpret_cast<const sockaddr_in*>(each->ifa_addr)))
      raise(Result::SystemError,
            "no local port is free at interface {} for UCX to listen at: net.ipv4.ip_local_port_range is used up by "
            "other connections; widen it, or end programs that hold many",
            each->ifa_name);
  }
}

}  // namespace ulysses
