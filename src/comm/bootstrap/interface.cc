// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/bootstrap/interface.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/unique_fd.h"

namespace ulysses {
namespace {

socklen_t sizeOf(int family) { return family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

bool isLinkLocal(const sockaddr* address) {
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

/// Addresses of all interfaces that are up. Link-local ones are left out: they mean nothing without an interface
/// number.
std::vector<HostAddress> allAddresses() {
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) raiseErrno("getifaddrs");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(raw, freeifaddrs);
  std::vector<HostAddress> all;
  for (const ifaddrs* at = raw; at; at = at->ifa_next) {
    const int family = at->ifa_addr ? at->ifa_addr->sa_family : AF_UNSPEC;
    if ((family != AF_INET && family != AF_INET6) || !(at->ifa_flags & IFF_UP) || isLinkLocal(at->ifa_addr)) continue;
    HostAddress address{.interface = at->ifa_name, .size = sizeOf(family)};
    std::memcpy(&address.storage, at->ifa_addr, address.size);
    all.push_back(std::move(address));
  }
  std::stable_sort(all.begin(), all.end(), [](const HostAddress& a, const HostAddress& b) {
    return a.storage.ss_family == AF_INET && b.storage.ss_family != AF_INET;
  });
  return all;
}

}  // namespace

std::string hostText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const void* raw = address.ss_family == AF_INET
                        ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
                        : &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  inet_ntop(address.ss_family, raw, text, sizeof text);
  return text;
}

std::string toText(const UniqueId::Endpoint& endpoint) {
  const std::string host = hostText(addressOf(endpoint).storage);
  return endpoint.family == AF_INET ? formatText("{}:{}", host, endpoint.port)
                                    : formatText("[{}]:{}", host, endpoint.port);
}

UniqueId::Endpoint endpointOf(const sockaddr_storage& address) {
  UniqueId::Endpoint endpoint;
  endpoint.family = address.ss_family;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    endpoint.port = ntohs(v4.sin_port);
    std::memcpy(endpoint.address, &v4.sin_addr, sizeof v4.sin_addr);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    endpoint.port = ntohs(v6.sin6_port);
    std::memcpy(endpoint.address, &v6.sin6_addr, sizeof v6.sin6_addr);
  }
  return endpoint;
}

HostAddress addressOf(const UniqueId::Endpoint& endpoint) {
  require(endpoint.family == AF_INET || endpoint.family == AF_INET6,
          "unique id: address family {} is unknown; pass the 128 bytes of ulyssesGetUniqueId unchanged",
          endpoint.family);
  HostAddress address;
  address.size = sizeOf(endpoint.family);
  address.storage.ss_family = endpoint.family;
  if (endpoint.family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address, sizeof v4.sin_addr);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address, sizeof v6.sin6_addr);
  }
  return address;
}

std::vector<HostAddress> addressesOf(const std::string& selection) {
  std::vector<HostAddress> found;
  std::string candidates;
  for (HostAddress& address : allAddresses()) {
    const std::string host = hostText(address.storage);
    candidates += formatText("{}{} ({})", candidates.empty() ? "" : ", ", address.interface, host);
    if (address.interface == selection || host == selection) found.push_back(std::move(address));
  }
  require(!found.empty(), "ULYSSES_INTERFACE={}: no interface that is up has this name or address; candidates: {}",
          selection, candidates.empty() ? "none" : candidates);
  return found;
}

std::string sourceOf(const HostAddress& destination) {
  // A datagram socket is connected by choosing a route alone: nothing is sent.
  const UniqueFd probe(socket(destination.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (connect(probe.get(), destination.get(), destination.size) != 0 ||
      getsockname(probe.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
    return "no interface";
  std::string host = hostText(own);
  for (const HostAddress& address : allAddresses())
    if (hostText(address.storage) == host) return formatText("{} ({})", host, address.interface);
  return host;
}

void sendAtOnce(int socket) noexcept {
  const int on = 1;
  (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // only slower without
}

}  // namespace ulysses
