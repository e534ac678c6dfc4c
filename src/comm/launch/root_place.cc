// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/root_place.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "comm/bootstrap/interface.h"

namespace ulysses {
namespace {

bool sameAddress(const UniqueId::Endpoint& a, const UniqueId::Endpoint& b) {
  return a.family == b.family && std::equal(std::begin(a.address), std::end(a.address), std::begin(b.address));
}

bool isUnspecified(const UniqueId::Endpoint& endpoint) {
  return std::all_of(std::begin(endpoint.address), std::end(endpoint.address), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

RootPlace parseRoot(const std::string& value) {
  RootPlace place{.origin = "ULYSSES_ROOT=" + value};
  const size_t colon = value.rfind(':');
  const std::string port = colon == std::string::npos ? "" : value.substr(colon + 1);
  place.host = value.substr(0, std::min(colon, value.size()));
  if (place.host.starts_with('[') && place.host.ends_with(']'))
    place.host = place.host.substr(1, place.host.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), place.port);
  require(!place.host.empty() && error == std::errc() && end == port.data() + port.size() && place.port > 0,
          "environment variable {}: want HOST:PORT or [IPV6-ADDRESS]:PORT with a port in 1..65535", place.origin);
  return place;
}

std::vector<UniqueId::Endpoint> resolve(const RootPlace& place) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const int error = getaddrinfo(place.host.c_str(), nullptr, &hints, &raw);
  require(error == 0, "{}: host {} has no address: {}; name the host of rank 0 or an address of it", place.origin,
          place.host, error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(raw, freeaddrinfo);
  std::vector<UniqueId::Endpoint> endpoints;
  for (const addrinfo* at = raw; at; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    sockaddr_storage address{};
    std::memcpy(&address, at->ai_addr, std::min<size_t>(at->ai_addrlen, sizeof address));
    UniqueId::Endpoint endpoint = endpointOf(address);
    endpoint.port = place.port;
    require(!isUnspecified(endpoint), "{}: {} stands for all interfaces; name one address of the host of rank 0",
            place.origin, place.host);
    const auto same = [&](const UniqueId::Endpoint& other) { return sameAddress(endpoint, other); };
    if (std::none_of(endpoints.begin(), endpoints.end(), same)) endpoints.push_back(endpoint);
  }
  require(!endpoints.empty(), "{}: host {} has neither an IPv4 nor an IPv6 address", place.origin, place.host);
  std::stable_partition(endpoints.begin(), endpoints.end(), [](const auto& each) { return each.family == AF_INET; });
  endpoints.resize(std::min(endpoints.size(), std::size(UniqueId().endpoints)));
  return endpoints;
}

bool isLoopback(const UniqueId::Endpoint& endpoint) {
  constexpr uint8_t kLoopbackNet = 127;
  if (endpoint.family == AF_INET) return endpoint.address[0] == kLoopbackNet;
  in6_addr address;
  std::memcpy(&address, endpoint.address, sizeof address);
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && endpoint.address[12] == kLoopbackNet);
}

}  // namespace ulysses
