// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "error.h"
#include "host_report.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

struct Interface {
  bool up = false;
  std::vector<std::string> addresses;
};

// "" for other families, and for link-local addresses: they mean nothing without an interface number.
std::string addressText(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address == nullptr) return "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text.data(), text.size());
  } else if (address->sa_family == AF_INET6) {
    const in6_addr& own = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (!IN6_IS_ADDR_LINKLOCAL(&own)) inet_ntop(AF_INET6, &own, text.data(), text.size());
  }
  return text.data();
}

}  // namespace

ordered_json interfacesJson() {
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) throwErrno("getifaddrs");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> entries(raw, freeifaddrs);
  std::map<std::string, Interface> interfaces;
  for (const ifaddrs* at = raw; at != nullptr; at = at->ifa_next) {
    Interface& interface = interfaces[at->ifa_name];
    interface.up = (at->ifa_flags & IFF_UP) != 0;
    const std::string address = interface.up ? addressText(at->ifa_addr) : "";
    if (!address.empty()) interface.addresses.push_back(address);
  }
  ordered_json list = ordered_json::array();
  for (const auto& [name, interface] : interfaces)
    list.push_back({{"name", name},
                    {"up", interface.up},
                    {"mbit_per_s", linkMbit(name) ? ordered_json(*linkMbit(name)) : ordered_json(nullptr)},
                    {"addresses", interface.addresses}});
  return list;
}

}  // namespace ulysses::perf
