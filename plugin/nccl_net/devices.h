// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The network devices that NCCL is offered: one for each port of an InfiniBand or RoCE adapter that is up; where there
// is none, or UCX_TLS leaves it out, one for each network interface that is up and has an address; the loopback
// interface when nothing else is there. UCX_NET_DEVICES chooses among all of them, loopback included.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "socket_address.h"

namespace ulysses::nccl {

struct NetDevice {
  std::string name;        // as UCX calls it: "eth0", "mlx5_0:1"
  std::string pciPath;     // its PCI function in /sys; empty: not on PCI
  bool isAdapter = false;  // of InfiniBand or RoCE, which moves memory by itself
  uint64_t guid = 0;       // the same for all ports of an adapter
  int port = 1;
  int speedMbps = 10'000;  // what NCCL takes as well where it is not told
  SocketAddress address;   // where its listeners listen
};

struct Interface {
  std::string name;
  SocketAddress address;
  bool isLoopback = false;
};

/// What the choice is made from: of this machine, or made up for tests.
struct Surroundings {
  std::string sys = "/sys";
  std::vector<Interface> interfaces{};  // up, with the address to use
  std::string transports{};             // UCX_TLS; empty: unset
  std::string netDevices{};             // UCX_NET_DEVICES; empty: unset
};

Surroundings thisHost();
/// Throws SystemError when UCX_NET_DEVICES leaves none, or the machine has none.
std::vector<NetDevice> findDevices(const Surroundings& around);

/// Those of this process, found once.
const std::vector<NetDevice>& devices();
/// Throws InvalidArgument for a number that is none.
const NetDevice& deviceAt(int index);

}  // namespace ulysses::nccl
