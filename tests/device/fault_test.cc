// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows of the fault matrix (docs/fault_matrix.md) for device tensors, with GPUs that are this process.
#include "device_api.h"

namespace ulysses::test {
namespace {

using Fate = CpuRuntime::Fate;

// Long beside what a thread may have to wait for a core on a busy machine.
constexpr std::int64_t kShortMs = 2'000;

class DeviceFault : public DeviceApi {
 protected:
  explicit DeviceFault(std::int64_t timeoutMs = kShortMs) : DeviceApi(true, timeoutMs) {}
  ~DeviceFault() override { CpuRuntime::setFate(1, Fate::Run); }

  /// All ranks call while rank 1's GPU does as told; its peers' exchanges end by their deadline, and name it.
  void expectRank1IsNamed(Fate fate, const std::string& text) {
    registerAll();
    CpuRuntime::setFate(1, fate);
    each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
    for (const int peer : {0, 2}) user(peer).stream.wait();
    int named = 0;
    for (const int peer : {0, 2}) {
      const ulyssesResult_t error = user(peer).asyncError();
      EXPECT_TRUE(error == ulyssesTimeout || error == ulyssesAborted) << error;
      EXPECT_NE(user(peer).lastError().find("rank 1"), std::string::npos) << user(peer).lastError();
      named += error == ulyssesTimeout && user(peer).lastError().find(text) != std::string::npos;
    }
    EXPECT_GE(named, 1) << user(0).lastError() << "; " << user(2).lastError();
    // Device exchanges are over, at once; those of host tensors are not.
    CpuRuntime::setDevice(0);
    EXPECT_EQ(user(0).exchange(false), user(0).asyncError());
    each([](User& user) { user.expectHostExchangeWorks(); });
  }
};

// C1: a process that dies takes its kernels along, before the exchange or in it.
TEST_F(DeviceFault, C1_ARankWhoseKernelNeverRunsIsNamed) {
  expectRank1IsNamed(Fate::Never, "rank 1 did not come within 2000 ms");
}

TEST_F(DeviceFault, C1_ARankWhoseKernelEndsInTheMiddleIsNamed) {
  expectRank1IsNamed(Fate::CutShort, "rank 1 did not finish within 2000 ms");
}

// C2: a rank that stops, and goes on too late, or in time.
TEST_F(DeviceFault, C2_ARankThatGoesOnTooLateIsNamedAndWritesNothing) {
  std::fill_n(user(0).gatheredQuery(), 4, -1.0F);
  expectRank1IsNamed(Fate::Wait, "rank 1 did not come within 2000 ms");
  CpuRuntime::setFate(1, Fate::Run);
  user(1).stream.wait();
  EXPECT_NE(user(1).asyncError(), ulyssesSuccess);
  EXPECT_EQ(user(0).gatheredQuery()[0], -1.0F);
}

class DeviceFaultInTime : public DeviceFault {
 protected:
  DeviceFaultInTime() : DeviceFault(60'000) {}
};

TEST_F(DeviceFaultInTime, C2_ARankThatGoesOnInTimeIsWaitedFor) {
  registerAll();
  CpuRuntime::setFate(1, Fate::Wait);
  each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  for (const User& user : users_) EXPECT_EQ(user.asyncError(), ulyssesSuccess);
  CpuRuntime::setFate(1, Fate::Run);
  waitAll();
  for (const User& user : users_) expectGathered(user);
}

// A2: device tensors with host tensors is DeviceApiWrongMemory; a stream with host tensors only is this.
TEST_F(DeviceFaultInTime, A2_AStreamWithHostTensorsIsNamedAndDeviceExchangesGoOn) {
  registerAll();
  std::vector<float> host(User::kFloats);
  each([&](User& user) {
    if (user.rank != 1) return;
    float* const memory = std::exchange(user.memory, host.data());
    EXPECT_EQ(user.exchange(false), ulyssesInvalidArgument);
    EXPECT_NE(user.lastError().find("stream: host tensors take no stream"), std::string::npos) << user.lastError();
    user.memory = memory;
  });
  expectThereAndBack();
}

// A12: the same call again, of a communicator that is gone.
TEST_F(DeviceFaultInTime, A12_AfterDestroyEveryCallIsInvalidUsage) {
  registerAll();
  expectThereAndBack();
  const ulyssesComm_t gone = user(1).comm;
  EXPECT_EQ(ulyssesCommDestroy(gone), ulyssesSuccess);
  CpuRuntime::setDevice(1);
  const std::size_t before = CpuRuntime::driverCalls();
  EXPECT_EQ(user(1).exchange(false), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommDeregister(gone, user(1).handle), ulyssesInvalidUsage);
  void* handle = nullptr;
  EXPECT_EQ(ulyssesCommRegister(gone, user(1).memory, sizeof(float), &handle), ulyssesInvalidUsage);
  ulyssesResult_t error = ulyssesSuccess;
  EXPECT_EQ(ulyssesCommGetAsyncError(gone, &error), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommDestroy(gone), ulyssesInvalidUsage);
  EXPECT_EQ(CpuRuntime::driverCalls(), before);
  CpuRuntime::setDevice(0);
  user(1).comm = nullptr;
}

// Row E7: peer access that is there and does not work. Found by the first registration, at every rank.
class GpuEach : public DeviceApi {
 protected:
  GpuEach() : DeviceApi(true) {}
  ~GpuEach() override { CpuRuntime::loseStoresOf(-1); }
};

TEST_F(GpuEach, StoresThatDoNotArriveAreFoundWhenMemoryIsRegistered) {
  CpuRuntime::loseStoresOf(1);
  each([](User& user) {
    EXPECT_EQ(ulyssesCommRegister(user.comm, user.memory, User::kFloats * sizeof(float), &user.handle),
              ulyssesInvalidArgument);
    const std::string text = ulyssesGetLastError(nullptr);
    EXPECT_NE(text.find("rank 0 cannot register"), std::string::npos) << text;
    EXPECT_NE(text.find("what the GPU of rank 1 wrote to this rank's did not arrive"), std::string::npos) << text;
  });
}

}  // namespace
}  // namespace ulysses::test
