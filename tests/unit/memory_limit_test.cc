// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The memory limit, on small trees of files that stand for /proc and /sys.
#include "base/memory_limit.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

namespace ulysses::test {
namespace {

/// A temporary root directory.
class MemoryLimitTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/ulysses-limit-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    root_ = path;
    put("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:  1000 kB\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& path, const std::string& text) {
    const auto file = std::filesystem::path(root_) / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  /// A v2 group at a path that ends with a slash.
  void putGroup(const std::string& group, const std::string& max, const std::string& current, int inactive = 0) {
    put("sys/fs/cgroup" + group + "memory.max", max + "\n");
    put("sys/fs/cgroup" + group + "memory.current", current + "\n");
    put("sys/fs/cgroup" + group + "memory.stat", "anon 5\ninactive_file " + std::to_string(inactive) + "\n");
  }
  void expect(std::size_t bytes, const std::string& name) {
    const MemoryLimit limit = tightestMemoryLimit(root_);
    EXPECT_EQ(limit.availableBytes, bytes);
    EXPECT_NE(limit.name.find(name), std::string::npos) << limit.name;
  }

  std::string root_;
};

TEST_F(MemoryLimitTest, MachineWithoutGroups) { expect(1000 * 1024, "MemAvailable of this machine"); }

TEST_F(MemoryLimitTest, NothingKnownIsUnlimited) {
  std::filesystem::remove_all(root_ + "/proc");
  expect(std::numeric_limits<std::size_t>::max(), "");
}

TEST_F(MemoryLimitTest, V2GroupOfTheProcess) {
  put("proc/self/cgroup", "0::/jobs/one\n");
  putGroup("/jobs/one/", "5000", "2000");
  expect(3000, "/jobs/one/memory.max");
}

TEST_F(MemoryLimitTest, ReclaimableFilePagesCountAsAvailable) {
  put("proc/self/cgroup", "0::/jobs/one\n");
  putGroup("/jobs/one/", "5000", "2000", 500);
  expect(3500, "/jobs/one/memory.max");
}

TEST_F(MemoryLimitTest, AnAncestorMayBeTighter) {
  put("proc/self/cgroup", "0::/jobs/one\n");
  putGroup("/jobs/one/", "max", "2000");
  putGroup("/jobs/", "9000", "8900");
  putGroup("/", "99000", "9000");
  expect(100, "cgroup/jobs/memory.max");
}

TEST_F(MemoryLimitTest, RootGroupOfAContainer) {
  put("proc/self/cgroup", "0::/\n");
  putGroup("/", "5000", "4000");
  expect(1000, "cgroup/memory.max");
}

TEST_F(MemoryLimitTest, OverTheLimitIsNothing) {
  put("proc/self/cgroup", "0::/\n");
  putGroup("/", "5000", "6000");
  expect(0, "memory.max");
}

TEST_F(MemoryLimitTest, MachineMayBeTighterThanTheGroup) {
  put("proc/self/cgroup", "0::/\n");
  putGroup("/", "99999999", "0");
  expect(1000 * 1024, "MemAvailable");
}

TEST_F(MemoryLimitTest, V1Group) {
  put("proc/self/cgroup", "12:cpu,cpuacct:/docker/x\n7:memory:/docker/x\n0::/ignored\n");
  put("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "7000\n");
  put("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "3000\n");
  put("sys/fs/cgroup/memory/docker/x/memory.stat", "inactive_file 1\ntotal_inactive_file 200\n");
  expect(4200, "memory/docker/x/memory.limit_in_bytes");
}

}  // namespace
}  // namespace ulysses::test
