// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows D1 and D2 of the fault matrix, the arithmetic: which limit holds, from made-up /proc and /sys trees.
#include "base/memory_limit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ulysses::test {

namespace {

constexpr std::size_t kMiB = 1 << 20;

class MemoryLimitTree : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/ulysses-limit-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    write("/proc/meminfo", "MemTotal: 9999999 kB\nMemFree: 1 kB\nMemAvailable: 1048576 kB\nBuffers: 7 kB\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  /// A v2 group; reclaimable bytes of usage are inactive file pages.
  void group2(const std::string& path, const std::string& limit, std::size_t usage, std::size_t reclaimable = 0) {
    const std::string folder = "/sys/fs/cgroup" + path;
    write(folder + "/memory.max", limit + "\n");
    write(folder + "/memory.current", std::to_string(usage) + "\n");
    write(folder + "/memory.stat", "anon 5\ninactive_file " + std::to_string(reclaimable) + "\nactive_file 3\n");
  }
  void expectLimit(std::size_t bytes, const std::string& part) {
    const MemoryLimit limit = tightestMemoryLimit(root_);
    EXPECT_EQ(limit.availableBytes, bytes);
    EXPECT_NE(limit.name.find(part), std::string::npos) << limit.name;
  }

  std::string root_;
};

TEST_F(MemoryLimitTree, MachineAlone) { expectLimit(1024 * kMiB, "MemAvailable"); }

TEST_F(MemoryLimitTree, NothingKnown) {
  std::filesystem::remove_all(root_ + "/proc");
  EXPECT_GT(tightestMemoryLimit(root_).availableBytes, std::size_t{1} << 60);
}

TEST_F(MemoryLimitTree, Version2) {
  write("/proc/self/cgroup", "0::/job\n");
  group2("/job", std::to_string(64 * kMiB), 16 * kMiB);
  expectLimit(48 * kMiB, "/sys/fs/cgroup/job/memory.max");
}

TEST_F(MemoryLimitTree, Version2AtTheRootOfANamespace) {
  write("/proc/self/cgroup", "0::/\n");
  group2("", std::to_string(64 * kMiB), 16 * kMiB);
  expectLimit(48 * kMiB, "memory.max");
}

TEST_F(MemoryLimitTree, MaxIsNoLimit) {
  write("/proc/self/cgroup", "0::/job\n");
  group2("/job", "max", 16 * kMiB);
  expectLimit(1024 * kMiB, "MemAvailable");
}

TEST_F(MemoryLimitTree, ReclaimablePagesAreAvailable) {
  write("/proc/self/cgroup", "0::/job\n");
  group2("/job", std::to_string(64 * kMiB), 60 * kMiB, 40 * kMiB);
  expectLimit(44 * kMiB, "memory.max");
}

TEST_F(MemoryLimitTree, UsageAboveTheLimitLeavesNothing) {
  write("/proc/self/cgroup", "0::/job\n");
  group2("/job", std::to_string(64 * kMiB), 70 * kMiB);
  expectLimit(0, "memory.max");
}

/// The tightest is neither the innermost nor the outermost.
TEST_F(MemoryLimitTree, AncestorsCount) {
  write("/proc/self/cgroup", "0::/slice/pod/box\n");
  group2("/slice", std::to_string(900 * kMiB), 100 * kMiB);
  group2("/slice/pod", std::to_string(200 * kMiB), 170 * kMiB);
  group2("/slice/pod/box", "max", 20 * kMiB);
  expectLimit(30 * kMiB, "/slice/pod/memory.max");
}

TEST_F(MemoryLimitTree, Version1) {
  write("/proc/self/cgroup", "9:name=systemd:/x\n4:cpu,memory:/job\n0::/\n");
  write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(64 * kMiB));
  write("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(40 * kMiB));
  write("/sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 8388608\n");
  expectLimit(32 * kMiB, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes");
}

/// A container without a group namespace: its path is the host's, its mount shows only its own group.
TEST_F(MemoryLimitTree, Version1PathOfTheHost) {
  write("/proc/self/cgroup", "4:memory:/docker/0123\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(64 * kMiB));
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(4 * kMiB));
  expectLimit(60 * kMiB, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
}

TEST_F(MemoryLimitTree, Version1WithoutLimit) {
  write("/proc/self/cgroup", "4:memory:/\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "4096\n");
  expectLimit(1024 * kMiB, "MemAvailable");
}

}  // namespace

}  // namespace ulysses::test
