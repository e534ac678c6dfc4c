// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What an exchange costs on a described cluster, for all ranks at once: an alpha-beta model over what the plans would
// list, with the links that ranks share as bounds. docs/algorithms.md has the formulas. Pure, as the whole room.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "base/link_class.h"
#include "plan/geometry.h"

namespace ulysses {

struct LinkCost {
  double alphaSeconds = 0, betaSecondsPerByte = 0;
};

/// Ranks are dealt to hosts in blocks, and within a host to NUMA nodes in blocks. A rate of 0 is no bound.
struct Cluster {
  int hosts = 1, ranksPerHost = 1, numaNodesPerHost = 1, nicsPerHost = 1;
  std::array<LinkCost, kLinkClassCount> links{};
  double nicBytesPerSecond = 0;     // of one NIC, each way
  double memoryBytesPerSecond = 0;  // of all copies inside one host together
  double packSecondsPerByte = 0;    // a rank's work at either end of a network transfer

  int hostOf(int rank) const { return rank / ranksPerHost; }
  LinkClass linkOf(int a, int b) const;
};

struct Traffic {
  int64_t bytes = 0, messages = 0;
  bool operator==(const Traffic&) const = default;
};
using TrafficByLink = std::array<Traffic, kLinkClassCount>;

struct Price {
  double seconds = 0;
  TrafficByLink traffic{};          // of all ranks; a message is what one rank has for another in one step
  int64_t mostNetworkMessages = 0;  // that one rank sends
};

/// Every rank exchanges with every other directly. Throws InvalidArgument when the geometry or the cluster cannot be.
Price priceFlat(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors,
                const Cluster& cluster);

/// A rank has one message for each other host, where ranks fan it out (or in, on the way back). A KV head that several
/// ranks of a host share crosses once; summed replicas cross as one when all are on one host, else each as it is.
Price priceTwoLevel(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors,
                    const Cluster& cluster);

}  // namespace ulysses
