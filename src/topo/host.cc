// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "topo/host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/check.h"
#include "base/hash.h"
#include "base/unique_fd.h"
#include "topo/hwloc_topology.h"

namespace ulysses {
namespace {

/// Caches and cores only: no PCI, which takes long to walk.
Topology loadCaches() {
  Topology topology = newTopology();
  if (!topology) return nullptr;
  hwloc_topology_set_io_types_filter(topology.get(), HWLOC_TYPE_FILTER_KEEP_NONE);
  if (hwloc_topology_load(topology.get()) != 0) return nullptr;
  return topology;
}

/// Null where hwloc cannot make it.
const Topology& coresOfThisHost() {
  static const Topology topology = loadCaches();
  return topology;
}

CacheSizes findCacheSizes() {
  CacheSizes sizes;
  const Topology& topology = coresOfThisHost();
  if (!topology) return sizes;
  if (hwloc_obj_t l2 = hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_L2CACHE, 0))
    sizes.l2Bytes = static_cast<int64_t>(l2->attr->cache.size);
  if (hwloc_obj_t l3 = hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_L3CACHE, 0)) {
    sizes.l3Bytes = static_cast<int64_t>(l3->attr->cache.size);
    sizes.coresSharingL3 =
        std::max(1, hwloc_get_nbobjs_inside_cpuset_by_type(topology.get(), l3->cpuset, HWLOC_OBJ_CORE));
  }
  return sizes;
}

/// "" where /proc lacks it. A rank that is only out of descriptors must not pass for one of another host.
std::string bootId() {
  const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (!file && (errno == EMFILE || errno == ENFILE)) raiseErrno("opening boot_id");
  char text[64];
  const ssize_t bytes = file ? read(file.get(), text, sizeof text) : 0;
  return std::string(text, static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
}

}  // namespace

HostId thisHost() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  const std::string boot = bootId();
  struct stat network {};
  stat("/proc/self/ns/net", &network);
  return {name, hashBytes(boot.data(), boot.size(), 1), network.st_ino};
}

const CacheSizes& cacheSizes() {
  static const CacheSizes sizes = findCacheSizes();
  return sizes;
}

std::vector<int> boundNumaNodes() {
  struct Free {
    void operator()(hwloc_bitmap_t set) const { hwloc_bitmap_free(set); }
  };
  const Topology& topology = coresOfThisHost();
  const std::unique_ptr<hwloc_bitmap_s, Free> bound(hwloc_bitmap_alloc());
  if (!topology || !bound || hwloc_get_cpubind(topology.get(), bound.get(), HWLOC_CPUBIND_THREAD) != 0) return {};
  std::vector<int> nodes;
  bool all = true;
  for (hwloc_obj_t node = nullptr; (node = hwloc_get_next_obj_by_type(topology.get(), HWLOC_OBJ_NUMANODE, node));) {
    if (hwloc_bitmap_iszero(node->complete_cpuset)) continue;  // memory alone
    const bool isIn = hwloc_bitmap_intersects(node->cpuset, bound.get()) != 0;
    if (isIn) nodes.push_back(static_cast<int>(node->logical_index));
    all = all && isIn;
  }
  return all ? std::vector<int>() : nodes;
}

int numaNodeOfPci(const std::string& pciId) {
  std::ifstream file("/sys/bus/pci/devices/" + pciId + "/numa_node");
  int node = -1;
  file >> node;
  return file ? node : -1;
}

int coresOfHost() { return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); }

int64_t defaultStreamBytes(const CacheSizes& caches, int ranksPerCore) {
  constexpr int64_t kUnknown = 2 << 20;
  const int64_t bytes = caches.l2Bytes + caches.l3Bytes / caches.coresSharingL3 / 2;
  return (bytes > 0 ? bytes : kUnknown) / ranksPerCore;
}

}  // namespace ulysses
