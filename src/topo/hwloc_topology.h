// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <hwloc.h>

#include <memory>

namespace ulysses {

struct TopologyDeleter {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, TopologyDeleter>;

/// Not loaded yet; nullptr when hwloc cannot make one.
inline Topology newTopology() {
  hwloc_topology_t raw = nullptr;
  return Topology(hwloc_topology_init(&raw) == 0 ? raw : nullptr);
}

}  // namespace ulysses
