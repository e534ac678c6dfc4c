// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "topo/net_ports.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

#include "base/check.h"
#include "base/interface_name.h"
#include "base/sysfs.h"

namespace ulysses {
namespace {

namespace fs = std::filesystem;
using sysfs::firstLine, sysfs::namesIn;

/// "" when it is not on PCI.
std::string pciIdOf(const fs::path& device) { return sysfs::pciFunctionOf(device).filename(); }

NetPort interfacePort(const fs::path& sys, const InterfaceState& interface) {
  const fs::path folder = sys / "class/net" / interface.name;
  return {.name = interface.name,
          .isUp = interface.isUp,
          .isInternal = interface.isLoopback || isInternalInterface(interface.name),
          .mbitPerSecond = sysfs::leadingNumber(firstLine(folder / "speed"), 0),
          .pciId = pciIdOf(folder / "device")};
}

NetPort adapterPort(const fs::path& adapter, const std::string& number) {
  constexpr size_t kSubnetDigits = 19;
  constexpr int64_t kMbitPerGbit = 1000;
  const fs::path port = adapter / "ports" / number;
  return {.name = formatText("{}:{}", adapter.filename().string(), number),
          .isRdma = true,
          .isUp = firstLine(port / "state").find("ACTIVE") != std::string::npos,
          .mbitPerSecond = kMbitPerGbit * sysfs::leadingNumber(firstLine(port / "rate"), 0),
          .subnet = firstLine(port / "gids/0").substr(0, kSubnetDigits),
          .pciId = pciIdOf(adapter / "device")};
}

std::vector<NetPort> adaptersIn(const std::string& sys) {
  std::vector<NetPort> ports;
  const fs::path adapters = fs::path(sys) / "class/infiniband";
  for (const std::string& adapter : namesIn(adapters))
    for (const std::string& number : namesIn(adapters / adapter / "ports"))
      ports.push_back(adapterPort(adapters / adapter, number));
  sortPorts(ports);
  return ports;
}

bool hasAddress(const ifaddrs& entry) {
  return entry.ifa_addr && (entry.ifa_addr->sa_family == AF_INET || entry.ifa_addr->sa_family == AF_INET6);
}

std::vector<InterfaceState> interfacesNow() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) raiseErrno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::map<std::string, InterfaceState> found;
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    InterfaceState& state = found[entry->ifa_name];
    state.name = entry->ifa_name;
    state.isLoopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
    const bool isRunning = (entry->ifa_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
    state.isUp = state.isUp || (isRunning && hasAddress(*entry));
  }
  std::vector<InterfaceState> interfaces;
  interfaces.reserve(found.size());
  for (auto& [name, state] : found) interfaces.push_back(std::move(state));
  return interfaces;
}

}  // namespace

void sortPorts(std::vector<NetPort>& ports) {
  std::ranges::sort(ports, [](const NetPort& a, const NetPort& b) {
    if (a.isRdma != b.isRdma) return a.isRdma;
    return strverscmp(a.name.c_str(), b.name.c_str()) < 0;
  });
}

std::vector<NetPort> portsIn(const std::string& sys, const std::vector<InterfaceState>& interfaces) {
  std::vector<NetPort> ports = adaptersIn(sys);
  for (const InterfaceState& interface : interfaces) ports.push_back(interfacePort(sys, interface));
  sortPorts(ports);
  return ports;
}

std::vector<NetPort> systemAdapters() { return adaptersIn("/sys"); }

std::vector<NetPort> systemPorts() { return portsIn("/sys", interfacesNow()); }

}  // namespace ulysses
