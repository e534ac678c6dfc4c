// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "devices.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "base/interface_name.h"
#include "base/sysfs.h"

namespace ulysses::nccl {
namespace {

namespace fs = std::filesystem;
using sysfs::firstLine, sysfs::namesIn;

int leadingNumber(std::string_view text, int fallback) {
  return static_cast<int>(sysfs::leadingNumber(text, fallback));
}

/// The number of hexadecimal digits between colons.
uint64_t hexNumber(std::string text) {
  std::erase(text, ':');
  return std::strtoull(text.c_str(), nullptr, 16);
}

bool isInList(std::string_view list, std::string_view word) {
  for (size_t start = 0; start <= list.size();) {
    const size_t end = std::min(list.find(',', start), list.size());
    if (list.substr(start, end - start) == word) return true;
    start = end + 1;
  }
  return false;
}

/// Whether the user's choice of transports leaves InfiniBand's in.
bool allowsInfiniband(const std::string& transports) {
  if (transports.empty() || transports.starts_with('^')) return true;
  return std::ranges::any_of(std::array{"all", "ib", "rc", "ud", "dc"},
                             [&](const char* name) { return transports.find(name) != std::string::npos; });
}

NetDevice ofInterface(const Surroundings& around, const Interface& interface) {
  const fs::path folder = fs::path(around.sys) / "class/net" / interface.name;
  NetDevice device;
  device.name = interface.name;
  device.address = interface.address;
  // NCCL takes the last part of the path for its address, so what is below it must go.
  device.pciPath = sysfs::pciFunctionOf(folder / "device");
  device.speedMbps = leadingNumber(firstLine(folder / "speed"), device.speedMbps);
  device.guid = hexNumber(firstLine(folder / "address"));
  if (device.guid == 0) device.guid = std::hash<std::string>()(interface.name);
  return device;
}

/// Where listeners of an adapter listen: at its own interface if that has an address, else at any that has.
SocketAddress addressBeside(const Surroundings& around, const fs::path& adapter) {
  const std::vector<std::string> own = namesIn(adapter / "device/net");
  const auto ownFirst = std::ranges::find_if(around.interfaces, [&](const Interface& interface) {
    return std::ranges::find(own, interface.name) != own.end();
  });
  if (ownFirst != around.interfaces.end()) return ownFirst->address;
  const auto outward = std::ranges::find_if(around.interfaces, [](const Interface& interface) {
    return !interface.isLoopback && !isInternalInterface(interface.name);
  });
  if (outward != around.interfaces.end()) return outward->address;
  return around.interfaces.empty() ? SocketAddress{} : around.interfaces.front().address;
}

std::vector<NetDevice> infinibandPorts(const Surroundings& around) {
  std::vector<NetDevice> found;
  if (!allowsInfiniband(around.transports)) return found;
  const fs::path folder = fs::path(around.sys) / "class/infiniband";
  for (const std::string& adapter : namesIn(folder))
    for (const std::string& port : namesIn(folder / adapter / "ports")) {
      const fs::path place = folder / adapter / "ports" / port;
      if (firstLine(place / "state").find("ACTIVE") == std::string::npos) continue;
      NetDevice device;
      device.name = formatText("{}:{}", adapter, port);
      device.isAdapter = true;
      device.pciPath = sysfs::pciFunctionOf(folder / adapter / "device");
      device.guid = hexNumber(firstLine(folder / adapter / "node_guid"));
      device.port = leadingNumber(port, 1);
      device.speedMbps = 1000 * leadingNumber(firstLine(place / "rate"), device.speedMbps / 1000);
      device.address = addressBeside(around, folder / adapter);
      found.push_back(std::move(device));
    }
  return found;
}

/// UCX takes "mlx5_0" for all ports of it.
bool isChosen(const std::string& list, const std::string& name) {
  return isInList(list, name) || isInList(list, name.substr(0, name.find(':'))) || isInList(list, "all");
}

/// Every device there is, loopback last.
std::vector<NetDevice> allDevices(const Surroundings& around) {
  std::vector<NetDevice> all = infinibandPorts(around);
  for (const bool loopback : {false, true})
    for (const Interface& interface : around.interfaces)
      if (interface.isLoopback == loopback) all.push_back(ofInterface(around, interface));
  return all;
}

std::vector<NetDevice> chosenDevices(const Surroundings& around) {
  std::vector<NetDevice> all = allDevices(around);
  std::erase_if(all, [&](const NetDevice& device) { return !isChosen(around.netDevices, device.name); });
  if (all.empty())
    raise(Result::SystemError, "UCX_NET_DEVICES={} names no device that is up: see ucx_info -d, or unset it",
          around.netDevices);
  return all;
}

std::vector<NetDevice> usualDevices(const Surroundings& around) {
  std::vector<NetDevice> found = infinibandPorts(around);
  if (!found.empty()) return found;
  for (const Interface& interface : around.interfaces)
    if (!interface.isLoopback && !isInternalInterface(interface.name)) found.push_back(ofInterface(around, interface));
  if (!found.empty()) return found;
  for (const Interface& interface : around.interfaces)
    if (interface.isLoopback) return {ofInterface(around, interface)};
  raise(Result::SystemError, "no network interface is up and has an address, not even loopback (ip address)");
}

bool isLinkLocal(const SocketAddress& address) {
  return address.family == AF_INET6 && address.ip[0] == 0xfe && (address.ip[1] & 0xc0) == 0x80;
}

/// Adds an address of an interface; the first IPv4 one stays, as UCX prefers it.
void note(std::vector<Interface>& interfaces, const ifaddrs& entry) {
  Interface interface { entry.ifa_name, SocketAddress::from(entry.ifa_addr), (entry.ifa_flags & IFF_LOOPBACK) != 0 };
  const auto known = std::ranges::find_if(interfaces, [&](const Interface& one) { return one.name == interface.name; });
  if (known == interfaces.end())
    interfaces.push_back(std::move(interface));
  else if (known->address.family == AF_INET6 && interface.address.family == AF_INET)
    *known = std::move(interface);
}

std::vector<Interface> interfacesUp() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) raiseErrno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::vector<Interface> interfaces;
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || (entry->ifa_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    if (!isLinkLocal(SocketAddress::from(entry->ifa_addr))) note(interfaces, *entry);
  }
  return interfaces;
}

std::string textOfVariable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Surroundings thisHost() {
  return {.interfaces = interfacesUp(),
          .transports = textOfVariable("UCX_TLS"),
          .netDevices = textOfVariable("UCX_NET_DEVICES")};
}

std::vector<NetDevice> findDevices(const Surroundings& around) {
  return around.netDevices.empty() ? usualDevices(around) : chosenDevices(around);
}

const std::vector<NetDevice>& devices() {
  static const std::vector<NetDevice> found = findDevices(thisHost());
  return found;
}

const NetDevice& deviceAt(int index) {
  const std::vector<NetDevice>& all = devices();
  require(index >= 0 && static_cast<size_t>(index) < all.size(), "device {}: want 0..{}", index, all.size() - 1);
  return all[static_cast<size_t>(index)];
}

}  // namespace ulysses::nccl
