// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a machine is made of, as a value: of this one, or of one that an hwloc XML file describes (lstopo writes them).
#pragma once
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
  double pciGbytesPerSecond = 0;    // of its PCIe link; 0: not told
  int numaNode = 0;                 // logical
  std::vector<uint64_t> bridges{};  // hwloc's ids, from the root down
};

struct Machine {
  std::string name;
  int numaNodes = 1;
  std::vector<int> numaOfCore;  // [cores]
  std::vector<Device> devices;  // in PCI order
};

/// Walks PCI, which takes long: for tools and set-up. Throws SystemError.
Machine thisMachine();
/// Throws InvalidArgument naming the file when it is no XML of hwloc.
Machine machineFromXml(const std::string& path);

/// What joins two devices, nearest first.
enum class Distance : int32_t { SameSwitch, SameRoot, SameNuma, OtherNuma };
const char* nameOf(Distance distance);
Distance distanceBetween(const Device& a, const Device& b);

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
