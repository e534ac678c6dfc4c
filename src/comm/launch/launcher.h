// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which rank a launcher (mpirun, srun, torchrun, a script) made of this process: from environment variables alone.
#pragma once
#include <optional>
#include <string>

namespace ulysses {

/// Where the ranks of a launcher can leave texts for each other.
enum class Store { None, Pmi, Pmix };

struct Launcher {
  std::string name;  // "ulysses", "torchrun", "openmpi", "pmi", "pmix", "slurm", "environment"
  int rank = 0, nRanks = 0;
  int localRank = -1, localRanks = -1;  // among the ranks of this host; -1: the launcher does not say
  Store store = Store::None;
  std::string job{};        // tells jobs and their restarts apart, where the launcher has a name for them; not secret
  std::string variables{};  // that say so, for messages: "RANK and WORLD_SIZE"
};

/// The launcher that started this process; nullopt when none did. Throws InvalidArgument naming the variable that is
/// malformed, missing or does not fit the others.
std::optional<Launcher> findLauncher();

/// The variables that findLauncher looks for.
std::string launcherVariables();

}  // namespace ulysses
