// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Plans that are dropped while their launches wait.
#include "path/cuda/plan_memory.h"

#include "device_api.h"

namespace ulysses::test {
namespace {

class PlanMemoryTest : public testing::Test {
 protected:
  void end(std::uint64_t launch) { *ended_.as<std::uint64_t>() = launch; }
  PlanMemory::Block take(std::size_t bytes, std::byte value) {
    return memory_.take(std::vector<std::byte>(bytes, value));
  }

  CpuRuntime runtime_;
  DeviceMemory ended_{runtime_, runtime_.allocate(sizeof(std::uint64_t))};
  PlanMemory memory_{runtime_, ended_.as<std::uint64_t>()};
};

TEST_F(PlanMemoryTest, IsTakenAgainOnceTheLaunchesBeforeHaveEnded) {
  const std::byte* const first = take(100, std::byte{1}).get();
  EXPECT_EQ(take(100, std::byte{2}).get(), first) << "nothing was launched";
  for (int i = 0; i < 20; ++i) {
    PlanMemory::Block block = take(100, std::byte{3});
    const std::byte* const mine = block.get();
    const std::uint64_t last = memory_.nextLaunch();
    block.reset();
    const PlanMemory::Block other = take(100, std::byte{4});
    EXPECT_NE(other.get(), mine) << i;
    EXPECT_EQ(mine[99], std::byte{3}) << i;
    end(last);
    const std::size_t held = CpuRuntime::held();
    static_cast<void>(take(100, std::byte{5}));
    EXPECT_EQ(CpuRuntime::held(), held) << i;
  }
  EXPECT_LE(CpuRuntime::held(), 4u);
}

TEST_F(PlanMemoryTest, OfAnotherSizeIsOther) {
  const std::byte* const small = take(4096, std::byte{1}).get();
  EXPECT_NE(take(4097, std::byte{2}).get(), small);
  EXPECT_EQ(take(1, std::byte{3}).get(), small);
}

// As a graph's launch, which has the number that it was captured with.
TEST_F(PlanMemoryTest, IsNotTakenBeforeALaterLaunchEndsWhenTheNumberGoesBack) {
  PlanMemory::Block block = take(100, std::byte{1});
  const std::byte* const mine = block.get();
  const std::uint64_t captured = memory_.nextLaunch(), later = memory_.nextLaunch();
  block.reset();
  end(captured);
  EXPECT_NE(take(100, std::byte{2}).get(), mine);
  end(later);
  const PlanMemory::Block other = take(100, std::byte{3}), again = take(100, std::byte{3});
  EXPECT_TRUE(other.get() == mine || again.get() == mine);
}

class DroppedPlans : public DeviceApi {
 protected:
  static Comms withOnePlan(std::int64_t timeoutMs) {
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.timeout_ms = timeoutMs;
    config.plan_cache_size = 1;
    Comms comms;
    EXPECT_EQ(ulyssesCommInitAll(comms.data(), kRanks, &config), ulyssesSuccess);
    return comms;
  }
  DroppedPlans() : DeviceApi(false, 20'000, withOnePlan) {}
  void exchangeAll(bool back, std::uint64_t tag = 0) {
    for (User& user : users_) ASSERT_EQ(user.exchange(back, tag), ulyssesSuccess) << user.lastError();
  }
};

TEST_F(DroppedPlans, AreReadByLaunchesThatWait) {
  registerAll();
  CpuRuntime::setFate(0, CpuRuntime::Fate::Wait);
  for (const bool back : {false, true}) exchangeAll(back);
  CpuRuntime::setFate(0, CpuRuntime::Fate::Run);
  waitAll();
  for (const User& user : users_) {
    EXPECT_EQ(user.asyncError(), ulyssesSuccess) << user.lastError();
    expectGathered(user);
    EXPECT_TRUE(user.isBack()) << "rank " << user.rank;
  }
}

TEST_F(DroppedPlans, LeaveTheirMemoryToTheNext) {
  registerAll();
  std::size_t held = 0;
  for (std::uint64_t tag = 1; tag <= 100; ++tag) {
    exchangeAll(false, tag);
    waitAll();
    if (tag == 3) held = CpuRuntime::held();
  }
  EXPECT_EQ(CpuRuntime::held(), held);
  for (const User& user : users_) expectGathered(user);
}

}  // namespace
}  // namespace ulysses::test
