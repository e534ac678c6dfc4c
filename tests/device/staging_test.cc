// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Registered memory that peers cannot map: they map a shadow of it, and exchanges copy.
#include "device_api.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kBytes = User::kFloats * std::int64_t{sizeof(float)};

class Staging : public DeviceApi {
 protected:
  Staging() : DeviceApi(true) {}
  explicit Staging(bool gpuEach) : DeviceApi(gpuEach) {}
  ~Staging() override { CpuRuntime::hideAllOf(0); }

  /// Before it is registered.
  static void moveTo(User& user, std::byte* memory) {
    user.gpu.free(reinterpret_cast<std::byte*>(std::exchange(user.memory, reinterpret_cast<float*>(memory))));
    user.fill();
  }
  static void takeHandle(User& user) { moveTo(user, user.gpu.allocate(MemoryKind::Device, kBytes, false)); }
};

// Scattering copies the outputs of one rank out, gathering with sums copies its partial sums in and its outputs out.
TEST_F(Staging, OfOneRanksMemoryWithoutAHandle) {
  takeHandle(user(1));
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches() - before, 3u);
}

TEST_F(Staging, OfEveryRanksMemory) {
  for (User& user : users_) takeHandle(user);
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches() - before, 9u);
}

TEST_F(Staging, OfManagedMemory) {
  moveTo(user(2), user(2).gpu.allocate(MemoryKind::Managed, kBytes));
  registerAll();
  expectThereAndBack();
}

// Chunks that the tensors do not end at. A GPU of the same process is given access to them.
TEST_F(Staging, IsNotNeededOfMappingsSideBySide) {
  for (User& user : users_) moveTo(user, user.gpu.allocateSideBySide(kBytes, 256, true));
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches(), before);
}

TEST_F(Staging, OfMappingsOfWhichAPeerCannotReachOne) {
  moveTo(user(1), user(1).gpu.allocateSideBySide(kBytes, 256, true));
  CpuRuntime::hide(reinterpret_cast<std::byte*>(user(1).memory) + 512);
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches() - before, 3u);
  std::vector<char> dump(1 << 20);
  ASSERT_EQ(ulyssesCommDump(user(1).comm, dump.data(), dump.size(), nullptr), ulyssesSuccess);
  EXPECT_NE(std::string(dump.data()).find("rank 0 cannot map them: GPU 0 cannot reach this memory of GPU 1"),
            std::string::npos)
      << dump.data();
}

TEST_F(Staging, OfAllocationsThatAreNeighboursByChanceIsRefused) {
  moveTo(user(1), user(1).gpu.allocateSideBySide(kBytes, 256, false));
  each([](User& user) {
    EXPECT_EQ(ulyssesCommRegister(user.comm, user.memory, kBytes, &user.handle), ulyssesInvalidArgument);
    const std::string error = ulyssesGetLastError(nullptr);
    EXPECT_NE(error.find("rank 1 cannot register its device memory"), std::string::npos) << error;
    EXPECT_NE(error.find(" ends 256 bytes after pointer"), std::string::npos) << error;
  });
}

TEST_F(Staging, OfMappingsThatEndBeforeTheRangeIsRefused) {
  moveTo(user(1), user(1).gpu.allocateSideBySide(kBytes, 256, true));
  each([](User& user) {
    const std::size_t bytes = kBytes + (user.rank == 1 ? 1 : 0);
    EXPECT_EQ(ulyssesCommRegister(user.comm, user.memory, bytes, &user.handle), ulyssesInvalidArgument);
    const std::string error = ulyssesGetLastError(nullptr);
    EXPECT_NE(error.find(" ends " + std::to_string(kBytes) + " bytes after pointer"), std::string::npos) << error;
  });
}

TEST_F(Staging, OfMemoryThatAPeerCannotMap) {
  CpuRuntime::hide(reinterpret_cast<std::byte*>(user(0).memory));
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches() - before, 3u);
}

TEST_F(Staging, ThatHelpsNeitherIsAnErrorAtEveryRankAndLeavesNothing) {
  CpuRuntime::hide(reinterpret_cast<std::byte*>(user(0).memory));
  CpuRuntime::hideAllOf(kBytes);
  each([&](User& user) {
    EXPECT_EQ(ulyssesCommRegister(user.comm, user.memory, kBytes, &user.handle), ulyssesInvalidArgument);
    EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("cannot reach this memory of GPU 0"), std::string::npos)
        << ulyssesGetLastError(nullptr);
  });
  CpuRuntime::hideAllOf(0);
  registerAll();
  expectThereAndBack();
}

TEST_F(Staging, EndsWithTheRegistration) {
  takeHandle(user(1));
  registerAll();
  const std::size_t held = CpuRuntime::held();
  each([](User& user) { EXPECT_EQ(ulyssesCommDeregister(user.comm, user.handle), ulyssesSuccess); });
  EXPECT_EQ(CpuRuntime::held(), held - 1);
  CpuRuntime::setDevice(1);
  EXPECT_EQ(user(1).exchange(false), ulyssesInvalidUsage);
  CpuRuntime::setDevice(0);
  EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("not in device memory that the peers have mapped"),
            std::string::npos);
}

TEST_F(Staging, AsksTheDriverNothingInSteadyState) {
  for (User& user : users_) takeHandle(user);
  registerAll();
  expectThereAndBack();
  const std::size_t before = CpuRuntime::driverCalls();
  for (const bool back : {false, true}) each([&](User& user) { EXPECT_EQ(user.exchange(back), ulyssesSuccess); });
  waitAll();
  EXPECT_EQ(CpuRuntime::driverCalls(), before);
}

class SharedGpu : public Staging {
 protected:
  SharedGpu() : Staging(false) {}
};

TEST_F(SharedGpu, NeedsNoStagingOfMappingsSideBySide) {
  for (User& user : users_) moveTo(user, user.gpu.allocateSideBySide(kBytes, 256, true));
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches(), before);
}

// Ranks that are threads of one process and share a GPU need no handles.
TEST_F(SharedGpu, NeedsNoStaging) {
  for (User& user : users_) takeHandle(user);
  registerAll();
  const std::size_t before = CpuRuntime::copyLaunches();
  expectThereAndBack();
  EXPECT_EQ(CpuRuntime::copyLaunches(), before);
}

}  // namespace
}  // namespace ulysses::test
