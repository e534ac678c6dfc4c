// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a machine is made of, as a value: of this one, or of one that an hwloc XML file describes (lstopo writes them).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/link_class.h"

namespace ulysses {

enum class DeviceKind : int32_t { Nic, Gpu };

struct Device {
  DeviceKind kind = DeviceKind::Nic;
  std::string name;                 // of a NIC's first interface; empty for a GPU
  std::string pciId;                // "0000:81:00.0"; empty when the device is not on PCI
  std::string model{};              // as the list of PCI ids has it; empty: not told
  double pciGbytesPerSecond = 0;    // of its PCIe link; 0: not told
  int numaNode = 0;                 // logical
  bool numaIsTold = false;          // false: it is near several nodes, or nobody knows; numaNode is the first then
  int package = -1;                 // the socket, logical; -1: not told
  std::vector<uint64_t> bridges{};  // hwloc's ids, from the root down
};

/// Caches of one kind.
struct CacheKind {
  int level = 0;
  int64_t bytes = 0;  // of the first
  int count = 0;
  int cores = 0;  // that share the first
};

struct NumaNode {
  int osIndex = 0;
  int64_t memoryBytes = 0;
  std::string threads{};  // hardware threads as the system numbers them, "0-3,8"
};

/// A network interface, or a port of an adapter for RDMA (InfiniBand, RoCE).
struct NetPort {
  std::string name;  // as UCX_NET_DEVICES has it: "eth0", "mlx5_0:1"
  bool isRdma = false;
  bool isUp = true;           // an interface: with an address too
  bool isInternal = false;    // loopback, or for containers and virtual machines: it leads to no other host
  int64_t mbitPerSecond = 0;  // 0: not told
  std::string subnet{};       // of an adapter's port, the upper half of its GID; empty: not told
  std::string pciId{};        // of its device; empty when it is not on PCI
};

struct Machine {
  std::string name;
  std::string system{}, cpu{};  // "Linux 6.1.0", a model; empty: not told
  int64_t memoryBytes = 0;
  int threads = 0;  // hardware threads that this process's cgroups allow
  std::vector<CacheKind> caches{};
  std::vector<NumaNode> nodes{};  // [numaNodes]; empty when hwloc shows none
  int numaNodes = 1;
  std::vector<int> numaOfCore;       // [cores]
  std::vector<Device> devices;       // in PCI order
  std::vector<NetPort> ports{};      // adapters' first, each kind by name
  std::vector<int> packageOfNode{};  // [numaNodes], -1: not told
};

/// Walks PCI, which takes long: for tools and set-up. Throws SystemError.
Machine thisMachine();
/// Throws InvalidArgument naming the file when it is no XML of hwloc.
Machine machineFromXml(const std::string& path);

/// What joins two devices, nearest first.
enum class Distance : int32_t { SameSwitch, SameRoot, SameNuma, SameSocket, OtherNuma };
const char* nameOf(Distance distance);
Distance distanceBetween(const Device& a, const Device& b);
/// How many PCIe bridges both are below: where all are on the same switch, more of them is nearer.
std::ptrdiff_t sharedBridges(const Device& a, const Device& b);

/// Indices into machine.devices of the NICs that are nearest, all equally; empty when there is none.
std::vector<int> nearestNicsOf(const Machine& machine, const Device& gpu);
std::vector<int> nearestNicsOf(const Machine& machine, int numaNode);

/// One of its candidates for each rank of a host, so that no NIC serves more ranks than it must where ranks choose in
/// turn; -1 for a rank without candidates.
std::vector<int> dealNics(std::span<const std::vector<int>> candidates);

/// Where a rank runs. Equal host ids share memory.
struct RankPlace {
  uint64_t host = 0;
  std::string hostName{};
  int64_t process = 0;
  int numaNode = 0;
};
struct Link {
  LinkClass link;
  std::string reason;
};
Link linkBetween(const RankPlace& a, const RankPlace& b, bool sameRank);

}  // namespace ulysses
