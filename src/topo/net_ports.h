// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The network interfaces and adapters of this host, as the system tells them now: ports go up and down.
#pragma once
#include <string>
#include <vector>

#include "topo/machine.h"

namespace ulysses {

/// An interface of this process's network namespace.
struct InterfaceState {
  std::string name;
  bool isUp = false;  // and running, and has an address
  bool isLoopback = false;
};

/// `sys`: where sysfs is mounted.
std::vector<NetPort> portsIn(const std::string& sys, const std::vector<InterfaceState>& interfaces);
/// Reads a few small files for each; no walk of PCI. Throws SystemError.
std::vector<NetPort> systemPorts();

/// Those of adapters alone: on a host of many containers there are hundreds of interfaces.
std::vector<NetPort> systemAdapters();

/// Adapters' ports first, each kind by name, in the order of the numbers in it: mlx5_2 before mlx5_10.
void sortPorts(std::vector<NetPort>& ports);

}  // namespace ulysses
