// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What environment variables make of a process, and where ranks meet.
#include "comm/launch/launcher.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "comm/launch/root_place.h"
#include "unit/error_of.h"

namespace ulysses::test {

namespace {

using Variables = std::map<std::string, std::string>;

/// Sets them for one scope, in an environment without any launcher's.
class Environment {
 public:
  explicit Environment(const Variables& variables) : variables_(variables) {
    for (const char* name :
         {"ULYSSES_RANK", "ULYSSES_RANKS", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
          "TORCHELASTIC_RUN_ID", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMI_FD",
          "PMIX_RANK", "PMIX_NAMESPACE", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID", "ENVIRONMENT"})
      unsetenv(name);
    for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : variables_) unsetenv(name.c_str());
  }

 private:
  Variables variables_;
};

struct Found {
  std::string name;
  int rank, nRanks, localRank, localRanks;
  Store store;

  bool operator==(const Found&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Found& found) {
  return out << found.name << " " << found.rank << "/" << found.nRanks << " local " << found.localRank << "/"
             << found.localRanks << " store " << static_cast<int>(found.store);
}

Found find(const Variables& variables) {
  const Environment environment(variables);
  const auto launcher = findLauncher();
  if (!launcher) return {"", 0, 0, 0, 0, Store::None};
  return {launcher->name, launcher->rank, launcher->nRanks, launcher->localRank, launcher->localRanks, launcher->store};
}

const Variables kSlurm = {{"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "1"}, {"SLURM_STEP_ID", "0"}};
const Variables kOpenMpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                            {"OMPI_COMM_WORLD_SIZE", "4"},
                            {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                            {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
const Variables kTorch = {{"RANK", "5"}, {"WORLD_SIZE", "6"}, {"LOCAL_RANK", "1"}, {"LOCAL_WORLD_SIZE", "2"}};

Variables both(Variables a, const Variables& b) {
  a.insert(b.begin(), b.end());
  return a;
}

TEST(Launcher, EachHabit) {
  EXPECT_EQ(find({}), (Found{"", 0, 0, 0, 0, Store::None}));
  EXPECT_EQ(find(kOpenMpi), (Found{"openmpi", 1, 4, 1, 2, Store::Pmix}));
  EXPECT_EQ(find(kSlurm), (Found{"slurm", 3, 8, 1, -1, Store::None}));
  EXPECT_EQ(find(kTorch), (Found{"environment", 5, 6, 1, 2, Store::None}));
  EXPECT_EQ(find({{"PMI_RANK", "0"}, {"PMI_SIZE", "3"}, {"PMI_FD", "7"}}), (Found{"pmi", 0, 3, -1, -1, Store::Pmi}));
  EXPECT_EQ(find({{"PMI_RANK", "0"}, {"PMI_SIZE", "3"}}), (Found{"pmi", 0, 3, -1, -1, Store::None}));
  EXPECT_EQ(find({{"ULYSSES_RANK", "2"}, {"ULYSSES_RANKS", "3"}}), (Found{"ulysses", 2, 3, -1, -1, Store::None}));
}

TEST(Launcher, TheInnermostCounts) {
  const Variables elastic = both(kTorch, {{"TORCHELASTIC_RUN_ID", "none"}});
  EXPECT_EQ(find(both(elastic, both(kOpenMpi, kSlurm))).name, "torchrun");
  EXPECT_EQ(find(both(kOpenMpi, kSlurm)).name, "openmpi");
  EXPECT_EQ(find(both(kOpenMpi, kTorch)).name, "openmpi");
  EXPECT_EQ(find(both(kSlurm, kTorch)).name, "slurm");
  EXPECT_EQ(find(both({{"ULYSSES_RANK", "0"}, {"ULYSSES_RANKS", "9"}}, both(elastic, kOpenMpi))).name, "ulysses");
}

TEST(Launcher, SlurmStepsOnly) {
  Variables batch = kSlurm;
  batch.erase("SLURM_STEP_ID");
  EXPECT_EQ(find(batch).name, "slurm");  // an old srun
  batch["ENVIRONMENT"] = "BATCH";
  EXPECT_EQ(find(batch).name, "");
  batch["SLURM_STEP_ID"] = "4294967290";  // the interactive step
  EXPECT_EQ(find(batch).name, "");
  batch["SLURM_STEP_ID"] = "2";
  EXPECT_EQ(find(batch).name, "slurm");
  batch["SLURM_STEP_NUM_TASKS"] = "5";
  EXPECT_EQ(find(batch).nRanks, 5);
}

TEST(Launcher, JobsDiffer) {
  const auto jobOf = [](const Variables& variables) {
    const Environment environment(variables);
    return findLauncher()->job;
  };
  Variables other = kSlurm;
  other["SLURM_STEP_ID"] = "1";
  EXPECT_NE(jobOf(kSlurm), jobOf(other));
  const Variables elastic = both(kTorch, {{"TORCHELASTIC_RUN_ID", "a"}, {"TORCHELASTIC_RESTART_COUNT", "0"}});
  Variables restarted = elastic;
  restarted["TORCHELASTIC_RESTART_COUNT"] = "1";
  EXPECT_NE(jobOf(elastic), jobOf(restarted));
}

TEST(RootPlace, Parses) {
  const RootPlace name = parseRoot("node-1.cluster:29400");
  EXPECT_EQ(name.host, "node-1.cluster");
  EXPECT_EQ(name.port, 29400);
  EXPECT_EQ(parseRoot("[fe80::1]:1").host, "fe80::1");
  for (const char* wrong : {"", ":1", "a", "a:", "a:0", "a:65536", "a:1x", "a:-1", "a: 1"})
    EXPECT_NE(errorOf([&] { (void)parseRoot(wrong); }), "") << wrong;
}

TEST(RootPlace, Resolves) {
  const auto loopback = resolve({.origin = "test", .host = "127.0.0.1", .port = 7});
  ASSERT_EQ(loopback.size(), 1u);
  EXPECT_TRUE(isLoopback(loopback[0]));
  EXPECT_EQ(loopback[0].port, 7);
  EXPECT_TRUE(isLoopback(resolve({.origin = "test", .host = "::1", .port = 7})[0]));
  EXPECT_FALSE(isLoopback(resolve({.origin = "test", .host = "192.0.2.1", .port = 7})[0]));
  EXPECT_FALSE(isLoopback(resolve({.origin = "test", .host = "2001:db8::1", .port = 7})[0]));
  EXPECT_NE(errorOf([] { (void)resolve({.origin = "test", .host = "::", .port = 7}); }), "");
}

}  // namespace

}  // namespace ulysses::test
