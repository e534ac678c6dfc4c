// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which network devices a rank uses: those that are nearest to its GPU or its cores. Pure: of values alone.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "topo/machine.h"

namespace ulysses {

/// Auto: the nearest ports of adapters (InfiniBand, RoCE), and all interfaces: which of these reach a peer nobody here
/// knows. Nearest: where there are no adapters, the nearest interfaces. Any: no restriction. List: those that are
/// named.
enum class NicPolicy : int32_t { Auto, Nearest, Any, List };

/// Where a rank is in its machine.
struct NicPlace {
  std::string gpuPciId{};        // of its GPU; empty: it has none, or none is known
  std::vector<int> numaNodes{};  // logical, that its cores are bound to; empty: not bound to some of them
  int turn = 0, ranks = 1;       // it is so many-eth, from 0, of so many ranks at such a place of its host
};

struct NicRequest {
  NicPolicy policy = NicPolicy::Auto;
  std::vector<std::string> names{};  // List: "eth1", "mlx5_0:1", "mlx5_0" (all its ports)
  std::string from{};                // what asks for it: "ULYSSES_NET_DEVICES=eth1"
};

struct NicChoice {
  std::vector<std::string> nics{};  // that the rank is meant to use
  std::vector<std::string>
      allowed{};  // them, and what is not restricted: all that UCX may use; empty: whatever there is
  std::string reason{};
  bool isRestricted() const { return !allowed.empty(); }
};

/// A port that is down or internal is chosen by its name only. Throws InvalidArgument for a name that the machine does
/// not have, or of a port that is down; it lists what there is.
///
/// Of several ports equally near, ranks with equal places get different ones: UCX takes no notice of an order, and
/// would let all ranks use the first. Where nothing tells near from far, nothing is restricted.
NicChoice chooseNics(const Machine& machine, const NicPlace& place, const NicRequest& request);

/// Whether chooseNics may look at places at all: else a machine of ports alone will do, and PCI need not be walked.
bool dependsOnPlace(std::span<const NetPort> ports, NicPolicy policy);

/// "mlx5_0:1,eth0"
std::string joinedNames(std::span<const std::string> names);

}  // namespace ulysses
