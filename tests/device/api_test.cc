// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Device tensors through the public interface, with a GPU that is this process.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "device_api.h"

namespace ulysses::test {
namespace {

TEST_F(DeviceApi, ThereAndBackWithSharedKvHeads) {
  registerAll();
  expectThereAndBack();
}

// Calls only enqueue: no group, no thread for each rank.
TEST_F(DeviceApi, OneThreadCallsForAllRanks) {
  registerAll();
  for (int i = 0; i < 3; ++i)
    for (User& user : users_) ASSERT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError();
  waitAll();
  for (const User& user : users_) expectGathered(user);
}

struct OneBlock {
  OneBlock() { setenv("ULYSSES_GPU_BLOCKS", "1", 1); }
  ~OneBlock() { unsetenv("ULYSSES_GPU_BLOCKS"); }
};
class BoundedDeviceApi : OneBlock, public DeviceApi {};  // the variable is there before the communicators

TEST_F(BoundedDeviceApi, AnExchangeHasNoMoreBlocks) {
  registerAll();
  CpuRuntime::mostBlocks();
  each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  waitAll();
  EXPECT_EQ(CpuRuntime::mostBlocks(), 1);
  for (const User& user : users_) expectGathered(user);
}

TEST_F(DeviceApi, AnExchangeHasTheRanksShareOfBlocks) {
  registerAll();
  CpuRuntime::mostBlocks();
  each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  waitAll();
  EXPECT_EQ(CpuRuntime::mostBlocks(), users_[0].gpu.residentBlocks(false) / kRanks);
}

TEST_F(DeviceApi, ABoundThatIsNoneIsNamed) {
  for (const char* const value : {"-1", "65536", "many"}) {
    setenv("ULYSSES_GPU_BLOCKS", value, 1);
    std::array<ulyssesComm_t, 1> comms;
    EXPECT_EQ(ulyssesCommInitAll(comms.data(), 1, nullptr), ulyssesInvalidArgument);
    EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find(std::string("ULYSSES_GPU_BLOCKS=") + value),
              std::string::npos)
        << ulyssesGetLastError(nullptr);
    unsetenv("ULYSSES_GPU_BLOCKS");
  }
}

TEST_F(DeviceApi, ExchangesOfHostTensorsGoOnBeside) {
  registerAll();
  each([&](User& user) {
    user.expectHostExchangeWorks();
    EXPECT_EQ(user.exchange(false), ulyssesSuccess);
  });
}

TEST_F(DeviceApi, BeforeAnyRegistrationTheRemedyIsNamed) {
  each([](User& user) { EXPECT_NE(user.exchange(false), ulyssesSuccess); });
  EXPECT_NE(user(0).lastError().find("register that of the outputs with ulyssesCommRegister at every rank"),
            std::string::npos)
      << user(0).lastError();
}

class DeviceApiWrongMemory : public DeviceApi {
 protected:
  /// Rank 1 passes as its first input what `input` makes; the others' exchange ends by it. What rank 1 is told.
  std::string errorOf(const std::function<const void*()>& input) {
    registerAll();
    auto tensors = user(1).tensors(false);
    const ulyssesGeometry_t geometry = User::geometryOf();
    EXPECT_EQ(user(0).exchange(false), ulyssesSuccess);  // enqueued; its peer's refusal comes later
    tensors[0].input = input();
    EXPECT_EQ(ulyssesScatterHeads(&geometry, tensors.data(), 2, user(1).comm, &user(1).stream), ulyssesInvalidArgument);
    const std::string error = ulyssesGetLastError(nullptr);
    EXPECT_EQ(error.find("tensors[0].input="), 0u) << error;
    EXPECT_NE(error.find("it must be memory of GPU 0 too"), std::string::npos) << error;
    waitAll();
    EXPECT_EQ(user(0).asyncError(), ulyssesRemoteInvalid);
    EXPECT_EQ(user(0).lastError(), "device exchange 1: rank 1 could not make the call: invalid argument");
    return error;
  }
};

TEST_F(DeviceApiWrongMemory, HostMemoryAmongDeviceMemoryIsNamed) {
  const std::vector<float> host(User::kQuery);
  EXPECT_NE(errorOf([&] { return host.data(); }).find(": no memory of CUDA's: ordinary host memory, or freed;"),
            std::string::npos);
}

TEST_F(DeviceApiWrongMemory, FreedMemoryIsNamed) {
  const auto freed = [this] {  // so late that nobody else is given it
    std::byte* const memory = user(1).gpu.allocate(User::kQuery * std::int64_t{sizeof(float)});
    user(1).gpu.free(memory);
    return memory;
  };
  EXPECT_NE(errorOf(freed).find(": no memory of CUDA's: ordinary host memory, or freed;"), std::string::npos);
}

TEST_F(DeviceApiWrongMemory, AnotherGpusMemoryIsNamed) {
  CpuRuntime::setDevice(1);
  CpuRuntime other;
  CpuRuntime::setDevice(0);
  const DeviceMemory theirs(other, other.allocate(User::kQuery * std::int64_t{sizeof(float)}));
  EXPECT_NE(errorOf([&] { return theirs.data(); }).find(": memory of GPU 1;"), std::string::npos);
}

TEST_F(DeviceApi, AnotherCurrentGpuIsNamedAndNothingIsEnqueued) {
  registerAll();
  CpuRuntime::setDevice(1);
  EXPECT_EQ(user(1).exchange(false), ulyssesInvalidUsage);
  EXPECT_EQ(user(1).lastError().find("GPU 1 is current to this thread, the communicator uses GPU 0"), 0u)
      << user(1).lastError();
  CpuRuntime::setDevice(0);
  for (User& user : users_) EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError();
  waitAll();
  for (const User& user : users_) expectGathered(user);
}

// Registered memory is known, so that nothing but the launch goes to the driver.
TEST_F(DeviceApi, CallsInSteadyStateAskTheDriverNothing) {
  registerAll();
  for (const bool back : {false, true}) each([&](User& user) { EXPECT_EQ(user.exchange(back), ulyssesSuccess); });
  waitAll();
  const std::size_t before = CpuRuntime::driverCalls();
  for (int i = 0; i < 3; ++i)
    for (const bool back : {false, true}) each([&](User& user) { EXPECT_EQ(user.exchange(back), ulyssesSuccess); });
  waitAll();
  EXPECT_EQ(CpuRuntime::driverCalls(), before);
  for (const User& user : users_) EXPECT_EQ(user.asyncError(), ulyssesSuccess) << user.lastError();
}

/// Calls with something that cannot be translated, at rank 1 only; the text that names it.
struct BadCall {
  const char* name;
  const char* text;
  std::function<ulyssesResult_t(User&)> make;
};

class DeviceApiBadCall : public DeviceApi, public testing::WithParamInterface<BadCall> {};

ulyssesResult_t badDtype(User& user) {
  const ulyssesGeometry_t geometry = User::geometryOf();
  auto tensors = user.tensors(false);
  const int none = 99;
  std::memcpy(&tensors[1].dtype, &none, sizeof(none));
  return ulyssesScatterHeads(&geometry, tensors.data(), 2, user.comm, &user.stream);
}
ulyssesResult_t badMagic(User& user) {
  ulyssesGeometry_t geometry = User::geometryOf();
  geometry.magic = 1;
  const auto tensors = user.tensors(false);
  return ulyssesScatterHeads(&geometry, tensors.data(), 2, user.comm, &user.stream);
}
ulyssesResult_t noTensors(User& user) {
  const ulyssesGeometry_t geometry = User::geometryOf();
  return ulyssesScatterHeads(&geometry, nullptr, 2, user.comm, &user.stream);
}
ulyssesResult_t badSplit(User& user) {
  ulyssesGeometry_t geometry = User::geometryOf();
  geometry.sequence = kTokens + 1;
  const auto tensors = user.tensors(false);
  return ulyssesScatterHeads(&geometry, tensors.data(), 2, user.comm, &user.stream);
}
INSTANTIATE_TEST_SUITE_P(Calls, DeviceApiBadCall,
                         testing::Values(BadCall{"dtype", "tensors[1].dtype=99", badDtype},
                                         BadCall{"magic", "geometry.magic=0x1", badMagic},
                                         BadCall{"tensors", "tensors is NULL", noTensors},
                                         BadCall{"split", "sequence=7", badSplit}),
                         [](const auto& test) { return test.param.name; });

TEST_P(DeviceApiBadCall, FailsThePeersDeviceExchangeAndLeavesTheHosts) {
  registerAll();
  EXPECT_EQ(user(0).exchange(false), ulyssesSuccess);
  EXPECT_EQ(GetParam().make(user(1)), ulyssesInvalidArgument);
  const std::string error = ulyssesGetLastError(nullptr);
  EXPECT_NE(error.find(GetParam().text), std::string::npos) << error;
  EXPECT_EQ(user(2).exchange(false), ulyssesSuccess);
  waitAll();
  int named = 0;
  for (const int peer : {0, 2})
    named += user(peer).asyncError() == ulyssesRemoteInvalid &&
             user(peer).lastError() == "device exchange 1: rank 1 could not make the call: invalid argument";
  EXPECT_GE(named, 1) << user(0).lastError();
  each([](User& user) { user.expectHostExchangeWorks(); });
}

TEST_F(DeviceApi, AnotherCallIsAnAsynchronousMismatch) {
  registerAll();
  for (User& user : users_) EXPECT_EQ(user.exchange(user.rank == 2), ulyssesSuccess);
  waitAll();
  int named = 0;
  for (User& user : users_) {
    ulyssesResult_t error = ulyssesSuccess;
    EXPECT_EQ(ulyssesCommGetAsyncError(user.comm, &error), ulyssesSuccess);
    EXPECT_TRUE(error == ulyssesMismatch || error == ulyssesAborted) << error;
    named += error == ulyssesMismatch && user.lastError().find("made different calls") != std::string::npos;
    EXPECT_EQ(user.exchange(false), error);  // and so is every later call
  }
  EXPECT_GE(named, 1);
}

TEST_F(DeviceApi, ABadRegistrationFailsAtEveryRank) {
  std::array<std::string, kRanks> errors;
  each([&](User& user) {
    const std::size_t bytes = (User::kFloats + (user.rank == 1 ? 1 : 0)) * sizeof(float);
    EXPECT_NE(ulyssesCommRegister(user.comm, user.memory, bytes, &user.handle), ulyssesSuccess);
    errors[static_cast<std::size_t>(user.rank)] = ulyssesGetLastError(nullptr);
  });
  for (const std::string& error : errors) {
    EXPECT_EQ(error.find("rank 1 cannot register its device memory"), 0u) << error;
    EXPECT_NE(error.find("ends " + std::to_string(User::kFloats * sizeof(float)) + " bytes after pointer"),
              std::string::npos)
        << error;
  }
  registerAll();  // the communicator is as it was
  each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  waitAll();
  for (const User& user : users_) expectGathered(user);
}

TEST_F(DeviceApi, MemoryFromTheLibraryIsRegisteredAndFreedLikeTheCallers) {
  constexpr std::size_t kBytes = User::kFloats * sizeof(float);
  std::array<void*, kRanks> callers{};
  for (User& user : users_) {
    void* memory = nullptr;
    ASSERT_EQ(ulyssesMemAllocDevice(&memory, kBytes), ulyssesSuccess) << ulyssesGetLastError(nullptr);
    EXPECT_EQ(user.gpu.memoryOf(memory).kind, MemoryKind::Device);
    EXPECT_TRUE(
        std::all_of(static_cast<char*>(memory), static_cast<char*>(memory) + kBytes, [](char c) { return c == 0; }));
    callers[static_cast<std::size_t>(user.rank)] = std::exchange(user.memory, static_cast<float*>(memory));
    user.fill();
  }
  registerAll();
  each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  waitAll();
  for (const User& user : users_) expectGathered(user);
  each([](User& user) { EXPECT_EQ(ulyssesCommDeregister(user.comm, user.handle), ulyssesSuccess); });
  for (User& user : users_) {
    EXPECT_EQ(ulyssesMemFree(user.memory), ulyssesSuccess);
    EXPECT_EQ(ulyssesMemFree(user.memory), ulyssesInvalidArgument);
    EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("ulyssesMemAllocDevice, was freed before"),
              std::string::npos);
    user.memory = static_cast<float*>(callers[static_cast<std::size_t>(user.rank)]);
  }
  EXPECT_EQ(ulyssesMemFree(user(0).memory), ulyssesInvalidArgument);  // the caller's own
  void* memory = this;
  EXPECT_EQ(ulyssesMemAllocDevice(&memory, 0), ulyssesInvalidArgument);
  EXPECT_EQ(memory, nullptr);
}

TEST_F(DeviceApi, DeregisteredMemoryIsNotExchanged) {
  registerAll();
  each([](User& user) { EXPECT_EQ(ulyssesCommDeregister(user.comm, user.handle), ulyssesSuccess); });
  EXPECT_EQ(user(0).exchange(false), ulyssesInvalidUsage);
  EXPECT_NE(user(0).lastError().find("are not in device memory that the peers have mapped"), std::string::npos);
}

TEST_F(DeviceApi, AbortEndsExchangesThatWait) {
  registerAll();
  EXPECT_EQ(user(0).exchange(false), ulyssesSuccess);
  EXPECT_EQ(ulyssesCommAbort(user(0).comm), ulyssesSuccess);
  user(0).comm = nullptr;
  user(0).stream.wait();  // long before its deadline, or this test would be killed
}

}  // namespace
}  // namespace ulysses::test
