// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace ulysses {

/// What tells this host from others: ranks with equal ids can share memory.
struct HostId {
  std::string name;    // for messages
  uint64_t bootId;     // of the running kernel
  uint64_t networkId;  // of the network namespace, which is where the ranks' local sockets live
};
HostId thisHost();

/// Sizes of the caches of a core, in bytes; 0 when the machine does not tell.
struct CacheSizes {
  int64_t l2Bytes = 0, l3Bytes = 0;
  int coresSharingL3 = 1;
};
/// From hwloc at the first call, which takes milliseconds.
const CacheSizes& cacheSizes();

/// Logical numbers of the NUMA nodes that this thread is bound to cores of; empty when these are all nodes.
std::vector<int> boundNumaNodes();

/// The system's number of a PCI device's node; -1: not told.
int numaNodeOfPci(const std::string& pciId);

/// Cores that are on line; binding of the calling thread does not count.
int coresOfHost();

/// Bytes a rank may receive in one exchange before it is better to store around the cache: its L2 and its share of L3
/// (measured: docs/perf.md), so that what the consumer reads next is still there below it. Ranks that share a core
/// share its caches.
int64_t defaultStreamBytes(const CacheSizes& caches, int ranksPerCore);

}  // namespace ulysses
