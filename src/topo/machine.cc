// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "topo/machine.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>

#include "base/check.h"
#include "base/interface_name.h"
#include "topo/host.h"
#include "topo/hwloc_topology.h"
#include "topo/net_ports.h"

namespace ulysses {
namespace {

Topology makeTopology() {
  Topology topology = newTopology();
  if (!topology) raise(Result::SystemError, "hwloc_topology_init failed");
  hwloc_topology_set_io_types_filter(topology.get(), HWLOC_TYPE_FILTER_KEEP_ALL);
#if HWLOC_API_VERSION >= 0x20100
  // PCI tells all we ask of GPUs; these would start their drivers in this process.
  for (const char* component : {"cuda", "nvml", "opencl", "gl", "rsmi", "levelzero"})
    hwloc_topology_set_components(topology.get(), HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, component);
#endif
  return topology;
}

/// The NUMA node of a core or a device; the first when an object spans several.
int numaNodeOf(hwloc_topology_t topology, hwloc_obj_t object) {
  const hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology, object);
  const int count = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
  for (int node = 0; node < count; ++node) {
    const hwloc_obj_t numa = hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, static_cast<unsigned>(node));
    if (place && place->nodeset && hwloc_bitmap_isset(place->nodeset, numa->os_index)) return node;
  }
  return 0;
}

/// Whether a device's place in the topology is inside one NUMA node.
bool isInOneNumaNode(hwloc_topology_t topology, hwloc_obj_t device) {
  if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE) == 1) return true;
  const hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology, device);
  return place && place->nodeset && hwloc_bitmap_weight(place->nodeset) == 1;
}

/// The socket that an object is in; -1: in none, or it has several.
int packageOf(hwloc_topology_t topology, hwloc_obj_t object) {
  hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology, object);
  while (place && place->type != HWLOC_OBJ_PACKAGE) place = place->parent;
  return place ? static_cast<int>(place->logical_index) : -1;
}

std::string infoOf(hwloc_obj_t object, const char* name) {
  const char* value = hwloc_obj_get_info_by_name(object, name);
  return value ? value : "";
}

std::string joined(const std::string& first, const std::string& second) {
  return first.empty() || second.empty() ? first + second : first + " " + second;
}

bool isNic(hwloc_obj_t object) {
  return object->type == HWLOC_OBJ_OS_DEVICE && (object->attr->osdev.type == HWLOC_OBJ_OSDEV_NETWORK ||
                                                 object->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS);
}

hwloc_obj_t pciOf(hwloc_obj_t object) {
  while (object && object->type != HWLOC_OBJ_PCI_DEVICE) object = object->parent;
  return object;
}

std::string pciIdOf(const hwloc_obj_attr_u::hwloc_pcidev_attr_s& pci) {
  return formatText("{:04x}:{:02x}:{:02x}.{:x}", pci.domain, pci.bus, pci.dev, pci.func);
}

Device makeDevice(hwloc_topology_t topology, DeviceKind kind, hwloc_obj_t pci, const char* name) {
  Device device;
  device.kind = kind;
  device.name = name ? name : "";
  device.pciId = pciIdOf(pci->attr->pcidev);
  device.model = joined(infoOf(pci, "PCIVendor"), infoOf(pci, "PCIDevice"));
  device.pciGbytesPerSecond = static_cast<double>(pci->attr->pcidev.linkspeed);
  device.numaNode = numaNodeOf(topology, pci);
  device.numaIsTold = isInOneNumaNode(topology, pci);
  device.package = packageOf(topology, pci);
  for (hwloc_obj_t up = pci->parent; up && up->type == HWLOC_OBJ_BRIDGE; up = up->parent)
    device.bridges.push_back(up->gp_index);
  std::reverse(device.bridges.begin(), device.bridges.end());
  return device;
}

/// By PCI id: a NIC may have an interface for the network and one for verbs, and is one device. Interfaces that are not
/// on PCI (loopback, virtual ones) are none.
std::vector<Device> devicesOf(hwloc_topology_t topology) {
  constexpr unsigned kDisplayClass = 0x03;
  std::map<std::string, Device> found;
  for (hwloc_obj_t pci = nullptr; (pci = hwloc_get_next_pcidev(topology, pci));)
    if (pci->attr->pcidev.class_id >> 8 == kDisplayClass)
      found.try_emplace(pciIdOf(pci->attr->pcidev), makeDevice(topology, DeviceKind::Gpu, pci, nullptr));
  for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_osdev(topology, object));)
    if (const hwloc_obj_t pci = pciOf(object); pci && isNic(object))
      found.try_emplace(pciIdOf(pci->attr->pcidev), makeDevice(topology, DeviceKind::Nic, pci, object->name));
  std::vector<Device> devices;
  devices.reserve(found.size());
  for (auto& [id, device] : found) devices.push_back(std::move(device));
  return devices;
}

NetPort portOf(hwloc_obj_t object, const std::string& name, bool isRdma) {
  const hwloc_obj_t pci = pciOf(object);
  return {.name = name,
          .isRdma = isRdma,
          .isInternal = !isRdma && (name == "lo" || isInternalInterface(name)),
          .pciId = pci ? pciIdOf(pci->attr->pcidev) : ""};
}

/// An adapter's ports; one that is up where nothing is told of them.
std::vector<NetPort> adapterPorts(hwloc_obj_t adapter) {
  constexpr size_t kSubnetDigits = 19;
  std::vector<NetPort> ports;
  for (int number = 1;; ++number) {
    const std::string prefix = formatText("Port{}", number), state = infoOf(adapter, (prefix + "State").c_str());
    if (state.empty() && number > 1) return ports;
    ports.push_back(portOf(adapter, formatText("{}:{}", adapter->name, number), true));
    ports.back().isUp = state.empty() || state.starts_with("4");  // active
    ports.back().subnet = infoOf(adapter, (prefix + "GID0").c_str()).substr(0, kSubnetDigits);
  }
}

/// As hwloc tells them.
std::vector<NetPort> portsOf(hwloc_topology_t topology) {
  std::vector<NetPort> ports;
  for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_osdev(topology, object));) {
    if (!isNic(object) || !object->name) continue;
    if (object->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS)
      std::ranges::copy(adapterPorts(object), std::back_inserter(ports));
    else
      ports.push_back(portOf(object, object->name, false));
  }
  sortPorts(ports);
  return ports;
}

std::vector<CacheKind> cachesOf(hwloc_topology_t topology) {
  std::vector<CacheKind> kinds;
  const hwloc_obj_type_t types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE};
  for (int level = 1; const hwloc_obj_type_t type : types) {
    if (const hwloc_obj_t first = hwloc_get_obj_by_type(topology, type, 0))
      kinds.push_back({level, static_cast<int64_t>(first->attr->cache.size), hwloc_get_nbobjs_by_type(topology, type),
                       hwloc_get_nbobjs_inside_cpuset_by_type(topology, first->cpuset, HWLOC_OBJ_CORE)});
    ++level;
  }
  return kinds;
}

std::string listOf(hwloc_const_bitmap_t set) {
  char* raw = nullptr;
  if (!set || hwloc_bitmap_list_asprintf(&raw, set) < 0) return "";
  const std::unique_ptr<char, void (*)(void*)> text(raw, std::free);
  return text.get();
}

std::vector<NumaNode> nodesOf(hwloc_topology_t topology) {
  std::vector<NumaNode> nodes;
  for (hwloc_obj_t node = nullptr; (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node));)
    nodes.push_back({static_cast<int>(node->os_index), static_cast<int64_t>(node->attr->numanode.local_memory),
                     listOf(node->cpuset)});
  return nodes;
}

Machine read(hwloc_topology_t topology) {
  Machine machine;
  const hwloc_obj_t root = hwloc_get_root_obj(topology);
  machine.name = infoOf(root, "HostName");
  machine.system = joined(infoOf(root, "OSName"), infoOf(root, "OSRelease"));
  const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
  machine.cpu = infoOf(package ? package : root, "CPUModel");
  machine.memoryBytes = static_cast<int64_t>(root->total_memory);
  machine.threads = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
  machine.caches = cachesOf(topology);
  machine.nodes = nodesOf(topology);
  machine.numaNodes = std::max(1, hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE));
  for (hwloc_obj_t core = nullptr; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core));)
    machine.numaOfCore.push_back(numaNodeOf(topology, core));
  machine.packageOfNode.assign(static_cast<size_t>(machine.numaNodes), -1);
  for (hwloc_obj_t node = nullptr; (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node));)
    machine.packageOfNode[node->logical_index] = packageOf(topology, node);
  machine.devices = devicesOf(topology);
  machine.ports = portsOf(topology);
  return machine;
}

/// Less is nearer: on one switch the fewer bridges both are below.
using Nearness = std::pair<Distance, std::ptrdiff_t>;

/// The NICs for which `nearnessOf` gives the least.
template <typename Fn>
std::vector<int> nearest(const Machine& machine, Fn&& nearnessOf) {
  std::vector<int> nics;
  Nearness least(Distance::OtherNuma, 0);
  for (int i = 0; i < std::ssize(machine.devices); ++i) {
    const Device& device = machine.devices[static_cast<size_t>(i)];
    if (device.kind != DeviceKind::Nic) continue;
    const Nearness nearness = nearnessOf(device);
    if (nearness < least) nics.clear();
    least = std::min(least, nearness);
    if (nearness == least) nics.push_back(i);
  }
  return nics;
}

}  // namespace

Machine thisMachine() {
  const Topology topology = makeTopology();
  if (hwloc_topology_load(topology.get()) != 0) raise(Result::SystemError, "hwloc cannot read this machine's topology");
  Machine machine = read(topology.get());
  machine.name = thisHost().name;
  machine.ports = systemPorts();
  return machine;
}

Machine machineFromXml(const std::string& path) {
  const Topology topology = makeTopology();
  const bool loaded =
      hwloc_topology_set_xml(topology.get(), path.c_str()) == 0 && hwloc_topology_load(topology.get()) == 0;
  require(loaded, "{}: not a topology that hwloc can read; write one with: lstopo --whole-io FILE.xml", path);
  return read(topology.get());
}

const char* nameOf(Distance distance) {
  switch (distance) {
    case Distance::SameSwitch:
      return "same PCIe switch";
    case Distance::SameRoot:
      return "same PCIe root";
    case Distance::SameNuma:
      return "same NUMA node";
    case Distance::SameSocket:
      return "same socket";
    case Distance::OtherNuma:
      return "other NUMA node";
  }
  return "?";
}

std::ptrdiff_t sharedBridges(const Device& a, const Device& b) {
  return std::mismatch(a.bridges.begin(), a.bridges.end(), b.bridges.begin(), b.bridges.end()).first -
         a.bridges.begin();
}

Distance distanceBetween(const Device& a, const Device& b) {
  const std::ptrdiff_t depth = sharedBridges(a, b);
  if (depth >= 2) return Distance::SameSwitch;
  if (depth == 1) return Distance::SameRoot;
  if (a.numaNode == b.numaNode) return Distance::SameNuma;
  return a.package >= 0 && a.package == b.package ? Distance::SameSocket : Distance::OtherNuma;
}

std::vector<int> nearestNicsOf(const Machine& machine, const Device& gpu) {
  return nearest(machine,
                 [&](const Device& nic) { return Nearness(distanceBetween(gpu, nic), -sharedBridges(gpu, nic)); });
}

std::vector<int> nearestNicsOf(const Machine& machine, int numaNode) {
  return nearest(machine, [&](const Device& nic) {
    return Nearness(nic.numaNode == numaNode ? Distance::SameNuma : Distance::OtherNuma, 0);
  });
}

std::vector<int> dealNics(std::span<const std::vector<int>> candidates) {
  std::map<int, int> ranksOf;
  std::vector<int> dealt;
  for (const std::vector<int>& own : candidates) {
    const auto least = std::min_element(own.begin(), own.end(), [&](int a, int b) { return ranksOf[a] < ranksOf[b]; });
    dealt.push_back(least == own.end() ? -1 : *least);
    if (least != own.end()) ++ranksOf[*least];
  }
  return dealt;
}

Link linkBetween(const RankPlace& a, const RankPlace& b, bool sameRank) {
  if (sameRank) return {LinkClass::Self, "the same rank"};
  if (a.host != b.host)
    return {LinkClass::Network, formatText("hosts {} and {} share no memory", a.hostName, b.hostName)};
  if (a.process == b.process) return {LinkClass::Process, formatText("threads of process {}", a.process)};
  if (a.numaNode == b.numaNode)
    return {LinkClass::ShmSameNuma, formatText("both on NUMA node {} of host {}", a.numaNode, a.hostName)};
  return {LinkClass::ShmOtherNuma,
          formatText("on NUMA nodes {} and {} of host {}", a.numaNode, b.numaNode, a.hostName)};
}

}  // namespace ulysses
