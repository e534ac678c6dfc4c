// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "topo/machine_json.h"

#include <hwloc.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "topo/nic_json.h"

namespace ulysses {
namespace {

using nlohmann::ordered_json;

template <typename Number>
ordered_json numberOrNull(Number value) {
  return value > 0 ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json textOrNull(const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json(text); }

ordered_json cachesJson(const Machine& machine) {
  ordered_json list = ordered_json::array();
  for (const CacheKind& cache : machine.caches)
    list.push_back(
        {{"level", cache.level}, {"bytes", cache.bytes}, {"count", cache.count}, {"cores_sharing_one", cache.cores}});
  return list;
}

/// What cores of a node say of a rank's place: nothing where it is the only one.
std::vector<int> boundTo(const Machine& machine, int node) {
  return machine.numaNodes > 1 ? std::vector<int>{node} : std::vector<int>();
}

ordered_json portsJson(const Machine& machine) {
  ordered_json list = ordered_json::array();
  for (const NetPort& port : machine.ports) {
    const auto device = std::ranges::find(machine.devices, port.pciId, &Device::pciId);
    const bool isTold = !port.pciId.empty() && device != machine.devices.end() && device->numaIsTold;
    list.push_back({{"name", port.name},
                    {"rdma", port.isRdma},
                    {"up", port.isUp},
                    {"internal", port.isInternal},
                    {"mbit_per_s", numberOrNull(port.mbitPerSecond)},
                    {"pci", textOrNull(port.pciId)},
                    {"numa_node", isTold ? ordered_json(device->numaNode) : ordered_json(nullptr)}});
  }
  return list;
}

ordered_json nodesJson(const Machine& machine) {
  ordered_json list = ordered_json::array();
  for (int node = 0; node < std::ssize(machine.nodes); ++node) {
    const NumaNode& numa = machine.nodes[static_cast<size_t>(node)];
    list.push_back({{"node", node},
                    {"os_index", numa.osIndex},
                    {"memory_bytes", numberOrNull(numa.memoryBytes)},
                    {"cores", std::count(machine.numaOfCore.begin(), machine.numaOfCore.end(), node)},
                    {"hardware_threads", numa.threads},
                    {"network", jsonOf(chooseNics(machine, {.numaNodes = boundTo(machine, node)}, {}))}});
  }
  return list;
}

ordered_json nearestJson(const Machine& machine, const Device& gpu) {
  ordered_json list = ordered_json::array();
  for (const int nic : nearestNicsOf(machine, gpu)) {
    const Device& device = machine.devices[static_cast<size_t>(nic)];
    list.push_back({{"name", device.name}, {"pci", device.pciId}, {"distance", nameOf(distanceBetween(gpu, device))}});
  }
  return list;
}

/// GPUs or NICs, in PCI order.
ordered_json devicesJson(const Machine& machine, DeviceKind kind) {
  ordered_json list = ordered_json::array();
  for (const Device& device : machine.devices) {
    if (device.kind != kind) continue;
    ordered_json json = {{"name", textOrNull(device.name)},
                         {"model", textOrNull(device.model)},
                         {"pci", textOrNull(device.pciId)},
                         {"pci_gbyte_per_s", numberOrNull(device.pciGbytesPerSecond)},
                         {"numa_node", device.numaIsTold ? ordered_json(device.numaNode) : ordered_json(nullptr)}};
    if (kind == DeviceKind::Gpu) {
      json["nearest_nics"] = nearestJson(machine, device);
      json["network"] = jsonOf(chooseNics(machine, {.gpuPciId = device.pciId}, {}));
    }
    list.push_back(std::move(json));
  }
  return list;
}

std::string hwlocText() {
  const unsigned version = hwloc_get_api_version();
  return formatText("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff);
}

}  // namespace

std::string jsonOf(const Machine& machine, const std::optional<HostId>& host) {
  const ordered_json json = {
      {"hwloc", hwlocText()},
      {"name", textOrNull(machine.name)},
      {"boot_id_hash", host ? ordered_json(formatText("{:08x}", host->bootId >> 32)) : ordered_json(nullptr)},
      {"network_namespace", host ? numberOrNull(host->networkId) : ordered_json(nullptr)},
      {"system", textOrNull(machine.system)},
      {"cpu", textOrNull(machine.cpu)},
      {"cores", machine.numaOfCore.size()},
      {"hardware_threads", machine.threads},
      {"memory_bytes", numberOrNull(machine.memoryBytes)},
      {"caches", cachesJson(machine)},
      {"numa_nodes", nodesJson(machine)},
      {"gpus", devicesJson(machine, DeviceKind::Gpu)},
      {"nics", devicesJson(machine, DeviceKind::Nic)},
      {"network_ports", portsJson(machine)}};
  // Names may hold any bytes: what is not UTF-8 is replaced.
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace ulysses
