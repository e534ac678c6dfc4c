// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a communicator's dump tells of device memory.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "device_api.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kBytes = User::kFloats * std::int64_t{sizeof(float)};

nlohmann::json dumpOf(const User& user) {
  std::vector<char> text(1 << 20);
  EXPECT_EQ(ulyssesCommDump(user.comm, text.data(), text.size(), nullptr), ulyssesSuccess);
  return nlohmann::json::parse(text.data());
}

struct CopyEngineWanted {
  CopyEngineWanted() { setenv("ULYSSES_GPU_ENGINE", "copy_engine", 1); }
  ~CopyEngineWanted() { unsetenv("ULYSSES_GPU_ENGINE"); }
};
class DeviceDump : CopyEngineWanted, public DeviceApi {
 protected:
  DeviceDump() : DeviceApi(true) {}
};

TEST_F(DeviceDump, HasNoGpuBeforeMemoryIsRegistered) {
  EXPECT_TRUE(dumpOf(user(0)).at("gpu").is_null());
  EXPECT_FALSE(dumpOf(user(0)).contains("gpu_memory"));
}

TEST_F(DeviceDump, HasWhatIsRegisteredAndWhyItIsStaged) {
  user(1).gpu.free(reinterpret_cast<std::byte*>(user(1).memory));
  user(1).memory = reinterpret_cast<float*>(user(1).gpu.allocate(MemoryKind::Device, kBytes, false));
  std::array<DeviceMemory, kRanks> windows;
  for (User& user : users_) windows.at(static_cast<std::size_t>(user.rank)) = {user.gpu, user.gpu.allocate(512)};
  std::array<void*, kRanks> handles{};
  registerAll();
  each([&](User& user) {
    const auto i = static_cast<std::size_t>(user.rank);
    EXPECT_EQ(ulyssesCommRegisterFlags(user.comm, windows.at(i).data(), 512, ULYSSES_REGISTER_WINDOW, &handles.at(i)),
              ulyssesSuccess);
  });
  for (User& user : users_) {
    const nlohmann::json dump = dumpOf(user);
    EXPECT_EQ(dump.at("gpu"), (nlohmann::json{{"ordinal", user.rank},
                                              {"engine", "copy_engine"},
                                              {"blocks", user.gpu.residentBlocks(false)},
                                              {"failure", nullptr}}));
    ASSERT_EQ(dump.at("gpu_memory").size(), 2u);
    nlohmann::json memory = dump.at("gpu_memory");
    EXPECT_EQ(memory[0].at("bytes"), kBytes);
    EXPECT_EQ(memory[0].at("window"), false);
    EXPECT_EQ(memory[1].at("bytes"), 512);
    EXPECT_EQ(memory[1].at("window"), true);
    EXPECT_TRUE(memory[1].at("staged").is_null());
    if (user.rank == 1)
      EXPECT_EQ(memory[0].at("staged"), "it has no handle");
    else
      EXPECT_TRUE(memory[0].at("staged").is_null());
  }
  each([](User& user) { EXPECT_EQ(ulyssesCommDeregister(user.comm, user.handle), ulyssesSuccess); });
  EXPECT_EQ(dumpOf(user(0)).at("gpu_memory").size(), 1u);
  each([&](const User& user) {
    EXPECT_EQ(ulyssesCommDeregister(user.comm, handles.at(static_cast<std::size_t>(user.rank))), ulyssesSuccess);
  });
  EXPECT_EQ(dumpOf(user(0)).at("gpu_memory").size(), 0u);
}

TEST_F(DeviceDump, HasWhatEndedDeviceExchanges) {
  registerAll();
  each([](User& user) { EXPECT_EQ(user.exchange(user.rank == 2), ulyssesSuccess); });
  waitAll();
  for (const User& user : users_) EXPECT_EQ(dumpOf(user).at("gpu").at("failure"), user.lastError());
}

}  // namespace
}  // namespace ulysses::test
