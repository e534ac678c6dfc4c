// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/launcher.h"

#include <cstdlib>
#include <vector>

#include "base/check.h"
#include "base/env.h"
#include "comm/launch/pmix.h"

namespace ulysses {
namespace {

constexpr int64_t kMostRanks = 1 << 16;

/// One launcher's habit. A variable that is not there in some versions, or says too little, is nullptr.
struct Habit {
  const char* name;
  const char* rank;
  const char* size;
  const char* localRank;
  const char* localSize;
  Store store;
  std::vector<const char*> job;
};

const Habit kUlysses = {"ulysses", "ULYSSES_RANK", "ULYSSES_RANKS", nullptr, nullptr, Store::None, {}};
const Habit kTorchrun = {"torchrun",
                         "RANK",
                         "WORLD_SIZE",
                         "LOCAL_RANK",
                         "LOCAL_WORLD_SIZE",
                         Store::None,
                         {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"}};
const Habit kOpenMpi = {"openmpi",
                        "OMPI_COMM_WORLD_RANK",
                        "OMPI_COMM_WORLD_SIZE",
                        "OMPI_COMM_WORLD_LOCAL_RANK",
                        "OMPI_COMM_WORLD_LOCAL_SIZE",
                        Store::Pmix,
                        {"PMIX_NAMESPACE"}};
const Habit kPmi = {"pmi", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", Store::Pmi, {"PMI_JOBID"}};
const Habit kSlurm = {
    "slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", nullptr, Store::None, {"SLURM_JOB_ID", "SLURM_STEP_ID"}};
// What many scripts set by hand, with torchrun's words.
const Habit kEnvironment = {"environment", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", Store::None, {}};

int64_t number(const char* variable, int64_t low, int64_t high) {
  const char* value = env::text(variable);
  char* end = nullptr;
  errno = 0;
  const long long parsed = std::strtoll(value, &end, 10);
  require(*end == '\0' && errno == 0 && parsed >= low && parsed <= high,
          "environment variable {}={}: want a whole number in {} .. {}, as the launcher sets it", variable, value, low,
          high);
  return parsed;
}

int numberOr(const char* variable, int64_t low, int64_t high, int fallback) {
  return variable && env::text(variable) ? static_cast<int>(number(variable, low, high)) : fallback;
}

std::string jobOf(const Habit& habit) {
  std::string job = habit.name;
  for (const char* variable : habit.job) {
    const char* value = env::text(variable);
    job += formatText("/{}", value ? value : "");
  }
  return job;
}

/// What the habit's variables say; nullopt when neither rank nor size is there.
std::optional<Launcher> read(const Habit& habit) {
  const bool hasRank = env::text(habit.rank), hasSize = env::text(habit.size);
  if (!hasRank && !hasSize) return std::nullopt;
  require(hasRank && hasSize, "environment variable {} is set and {} is not: set both, or neither",
          hasRank ? habit.rank : habit.size, hasRank ? habit.size : habit.rank);
  Launcher launcher{.name = habit.name, .store = habit.store};
  launcher.nRanks = static_cast<int>(number(habit.size, 1, kMostRanks));
  launcher.rank = static_cast<int>(number(habit.rank, 0, launcher.nRanks - 1));
  launcher.localRanks = numberOr(habit.localSize, 1, launcher.nRanks, -1);
  const int mostLocal = launcher.localRanks > 0 ? launcher.localRanks : launcher.nRanks;
  launcher.localRank = numberOr(habit.localRank, 0, mostLocal - 1, -1);
  launcher.job = jobOf(habit);
  launcher.variables = formatText("{} and {}", habit.rank, habit.size);
  return launcher;
}

/// A batch script, and what salloc gives a shell in, have these variables too, and are no rank of a step.
bool isSlurmTask() {
  constexpr int64_t kFirstSpecialStep = 0xfffffff0;
  if (!env::text("SLURM_PROCID")) return false;
  if (env::text("SLURM_STEP_ID")) return number("SLURM_STEP_ID", 0, int64_t{1} << 40) < kFirstSpecialStep;
  const char* environment = env::text("ENVIRONMENT");
  return !environment || std::string(environment) != "BATCH";
}

std::optional<Launcher> readSlurm() {
  if (!isSlurmTask()) return std::nullopt;
  Habit habit = kSlurm;
  if (env::text("SLURM_STEP_NUM_TASKS")) habit.size = "SLURM_STEP_NUM_TASKS";  // of this srun, not of the allocation
  auto launcher = read(habit);
  if (launcher && numberOr("SLURM_STEP_NUM_NODES", 1, kMostRanks, 0) == 1) launcher->localRanks = launcher->nRanks;
  const char* pmix = env::text("PMIX_NAMESPACE");
  if (launcher && pmix && std::string(pmix).starts_with("slurm.")) launcher->store = Store::Pmix;
  return launcher;
}

/// A PMIx launcher without habits of its own (prun): only the server knows how many ranks there are. With Slurm's
/// server Slurm's variables say it.
std::optional<Launcher> readPmix() {
  const char* space = env::text("PMIX_NAMESPACE");
  if (!env::text("PMIX_RANK") || !space || std::string(space).starts_with("slurm.")) return std::nullopt;
  Launcher launcher{.name = "pmix", .store = Store::Pmix};
  const PmixJob job = pmixJob();
  launcher.nRanks = job.nRanks;
  require(job.nRanks >= 1 && job.nRanks <= kMostRanks, "the PMIx server counts {} ranks: want 1..{}", job.nRanks,
          kMostRanks);
  launcher.rank = static_cast<int>(number("PMIX_RANK", 0, launcher.nRanks - 1));
  launcher.localRank = job.localRank;
  launcher.localRanks = job.localRanks;
  launcher.job = formatText("pmix/{}", space);
  launcher.variables = "PMIX_RANK and PMIX_NAMESPACE";
  return launcher;
}

/// Slurm speaks PMI too, and has its own name for the rank on this host.
std::optional<Launcher> readPmi() {
  auto launcher = read(kPmi);
  if (launcher && launcher->localRank < 0) launcher->localRank = numberOr("SLURM_LOCALID", 0, launcher->nRanks - 1, -1);
  if (launcher && !env::text("PMI_FD")) launcher->store = Store::None;
  return launcher;
}

}  // namespace

/// The innermost launcher counts: torchrun's agents may have been started by mpirun or srun, mpirun inside Slurm.
std::optional<Launcher> findLauncher() {
  if (auto own = read(kUlysses)) return own;
  if (env::text("TORCHELASTIC_RUN_ID"))
    if (auto torchrun = read(kTorchrun)) return torchrun;
  if (auto openMpi = read(kOpenMpi)) return openMpi;
  if (auto pmi = readPmi()) return pmi;
  if (auto pmix = readPmix()) return pmix;
  if (auto slurm = readSlurm()) return slurm;
  return read(kEnvironment);
}

std::string launcherVariables() {
  return "ULYSSES_RANK and ULYSSES_RANKS; RANK and WORLD_SIZE (torchrun); OMPI_COMM_WORLD_RANK and "
         "OMPI_COMM_WORLD_SIZE (Open MPI); PMI_RANK and PMI_SIZE (MPICH, Slurm); PMIX_RANK and PMIX_NAMESPACE; "
         "SLURM_PROCID and SLURM_NTASKS";
}

}  // namespace ulysses
