// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How a rank reaches its peers: the paths, and which of them leads to whom.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "comm/mesh.h"
#include "comm/settings.h"
#include "path/path.h"
#include "plan/crossing.h"
#include "topo/nic_choice.h"

namespace ulysses {

/// The paths of one rank.
struct Routes {
  std::vector<std::unique_ptr<Path>> paths;  // none when the rank is alone
  std::vector<Path*> byRank;                 // null for this rank
  int ranksHere = 1;                         // on this host, this one included
  std::vector<int> hosts;                    // by rank, where ranks pass on what crosses between hosts; else empty
  Crossing crossing = Crossing::Heads;       // how it crosses then
  std::optional<NicChoice> nics{};           // what it crosses by, where ranks are on several hosts

  /// Every other rank by this one path.
  static Routes over(std::unique_ptr<Path> path, int rank, int nRanks);
};

/// Throws NotSupported where the ranks cannot reach each other by the paths that rank 0 chose. All ranks look at the
/// same table, so they come to the same end.
void requireReachable(const Membership& membership);

/// Shared memory within a host, UCX between hosts. `peers`: those of this host that are connected so far when it
/// throws; the shared-memory path has them when it does not. `nics`: what this rank asks for. Throws Error.
Routes reachPeers(const Membership& membership, MeshListener& listener, int rank, const NicRequest& nics,
                  Deadline deadline, std::vector<std::unique_ptr<ShmPeer>>& peers);

/// A board for ranks of this process.
std::shared_ptr<Mapping> makeOwnBoard(int nRanks, const Settings& settings);

}  // namespace ulysses
