// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "device_api.h"

// In place of CUDA's.
namespace ulysses {

std::unique_ptr<DeviceRuntime> makeDeviceRuntime() { return std::make_unique<test::CpuRuntime>(); }
MemoryKind memoryKindOf(const void* pointer) noexcept { return test::CpuRuntime().memoryOf(pointer).kind; }
std::byte* allocateDeviceMemory(std::int64_t bytes) { return test::CpuRuntime().allocate(bytes); }
void freeDeviceMemory(std::byte* memory) { test::CpuRuntime().free(memory); }

}  // namespace ulysses

namespace ulysses::test {

DeviceApi::Comms DeviceApi::initAll(std::int64_t timeoutMs) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = timeoutMs;
  Comms comms;
  EXPECT_EQ(ulyssesCommInitAll(comms.data(), kRanks, &config), ulyssesSuccess);
  return comms;
}

DeviceApi::DeviceApi(bool gpuEach, std::int64_t timeoutMs, const std::function<Comms(std::int64_t)>& makeComms) {
  const Comms comms = makeComms(timeoutMs);
  for (int rank = 0; rank < kRanks; ++rank) {
    User& user = users_[static_cast<std::size_t>(rank)];
    user.comm = comms[static_cast<std::size_t>(rank)];
    user.rank = rank;
    CpuRuntime::setDevice(gpuEach ? rank : 0);
    user.gpu = CpuRuntime();
    user.memory = reinterpret_cast<float*>(user.gpu.allocate(User::kFloats * std::int64_t{sizeof(float)}));
    user.fill();
  }
  CpuRuntime::setDevice(0);
}

DeviceApi::~DeviceApi() {
  for (User& user : users_) user.stream.wait();
  for (User& user : users_) {
    if (user.comm != nullptr) {
      EXPECT_EQ(ulyssesCommDestroy(user.comm), ulyssesSuccess);
    }
    user.gpu.free(reinterpret_cast<std::byte*>(user.memory));
  }
}

bool User::isGathered() const {
  const ulyssesGeometry_t geometry = geometryOf();
  ulyssesSplit_t split;
  if (ulyssesGetSplit(&geometry, kRanks, rank, &split) != ulyssesSuccess) return false;
  for (std::int64_t t = 0; t < kTokens; ++t)
    for (std::int64_t d = 0; d < kDim; ++d) {
      for (std::int64_t h = 0; h < split.queryHeadCount; ++h)
        if (gatheredQuery()[(t * split.queryHeadCount + h) * kDim + d] != valueOf(t, split.queryHeadBegin + h, d))
          return false;
      if (gatheredKv()[t * kDim + d] != valueOf(t, split.kvHeadBegin, d)) return false;
    }
  return true;
}

bool User::isBack() const {
  for (std::int64_t t = 0; t < kLocal; ++t)
    for (std::int64_t d = 0; d < kDim; ++d) {
      const std::int64_t token = rank * kLocal + t;
      for (std::int64_t h = 0; h < kHeads; ++h)
        if (query()[(t * kHeads + h) * kDim + d] != valueOf(token, h, d)) return false;
      // Of 3 ranks two hold the first KV head, one the second.
      if (kv()[(t * kKvHeads + 0) * kDim + d] != 2 * valueOf(token, 0, d)) return false;
      if (kv()[(t * kKvHeads + 1) * kDim + d] != valueOf(token, 1, d)) return false;
    }
  return true;
}

void DeviceApi::expectThereAndBack() {
  each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  waitAll();
  for (const User& user : users_) expectGathered(user);
  for (User& user : users_) std::fill_n(user.memory, User::kQuery + User::kKv, -1.0F);
  each([](User& user) { EXPECT_EQ(user.exchange(true), ulyssesSuccess) << user.lastError(); });
  waitAll();
  for (const User& user : users_) EXPECT_TRUE(user.isBack()) << "rank " << user.rank;
  for (const User& user : users_) {
    ulyssesResult_t error = ulyssesInternalError;
    EXPECT_EQ(ulyssesCommGetAsyncError(user.comm, &error), ulyssesSuccess);
    EXPECT_EQ(error, ulyssesSuccess);
  }
}

}  // namespace ulysses::test
