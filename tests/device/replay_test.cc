// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Recorded exchanges, as CUDA graphs hold them, while their communicators live and after they are gone. What was freed
// is not written to again: NothingIsLeft (cpu_device.cc) looks.
#include "device_api.h"

namespace ulysses::test {
namespace {

enum class Gpus { Shared, Each, Staged };

class Replay : public DeviceApi, public testing::WithParamInterface<Gpus> {
 protected:
  Replay() : DeviceApi(GetParam() != Gpus::Shared) {
    for (User& user : users_)
      if (GetParam() == Gpus::Staged) {
        user.gpu.free(reinterpret_cast<std::byte*>(user.memory));
        user.memory = reinterpret_cast<float*>(
            user.gpu.allocate(MemoryKind::Device, User::kFloats * std::int64_t{sizeof(float)}, false));
        user.fill();
      }
  }
  /// Scatter and gather with sums, of every rank: both ways of staging.
  void captureAll() {
    each([&](User& user) {
      user.stream.beginCapture(user.graph);
      for (const bool back : {false, true}) EXPECT_EQ(user.exchange(back), ulyssesSuccess) << user.lastError();
      user.stream.endCapture();
    });
  }
  void launchAll() {
    for (User& user : users_) user.stream.launch(user.graph);
    waitAll();
  }
  void destroyAll() {
    each([](User& user) { EXPECT_EQ(ulyssesCommDestroy(std::exchange(user.comm, nullptr)), ulyssesSuccess); });
  }
  static std::vector<float> bytesOf(const User& user) { return {user.memory, user.memory + User::kFloats}; }
};
std::string nameOf(const testing::TestParamInfo<Gpus>& test) {
  return test.param == Gpus::Shared ? "shared" : test.param == Gpus::Each ? "each" : "staged";
}
INSTANTIATE_TEST_SUITE_P(Gpus, Replay, testing::Values(Gpus::Shared, Gpus::Each, Gpus::Staged), nameOf);

TEST_P(Replay, WhileTheCommunicatorLivesIsAnExchange) {
  registerAll();
  expectThereAndBack();
  captureAll();
  for (int i = 0; i < 3; ++i) {
    for (User& user : users_) {
      user.fill();
      std::fill_n(user.gatheredQuery(), User::kGatheredQuery + User::kGatheredKv, -1.0F);
    }
    launchAll();
    for (const User& user : users_) {
      expectGathered(user);
      EXPECT_EQ(user.asyncError(), ulyssesSuccess) << user.lastError();
    }
  }
}

// A12: whatever has taken the place of what was freed.
TEST_P(Replay, A12_AfterDestroyMovesNothingAndTheNextCallNamesIt) {
  registerAll();
  expectThereAndBack();
  captureAll();
  const ulyssesComm_t gone = user(1).comm;
  destroyAll();
  std::array<std::vector<float>, kRanks> before;
  for (const User& user : users_) {
    std::fill_n(user.memory, User::kFloats, static_cast<float>(-user.rank - 1));
    before[static_cast<std::size_t>(user.rank)] = bytesOf(user);
  }
  launchAll();
  for (const User& user : users_) EXPECT_EQ(bytesOf(user), before[static_cast<std::size_t>(user.rank)]);
  testing::internal::CaptureStderr();
  ulyssesResult_t error = ulyssesSuccess;
  EXPECT_EQ(ulyssesCommGetAsyncError(gone, &error), ulyssesInvalidUsage);
  const std::string named = testing::internal::GetCapturedStderr();
  EXPECT_NE(named.find("a CUDA graph launched an exchange of rank "), std::string::npos) << named;
  EXPECT_NE(named.find("/3 comm "), std::string::npos) << named;
  EXPECT_NE(named.find("after that communicator was destroyed: nothing was exchanged"), std::string::npos) << named;
  testing::internal::CaptureStderr();
  EXPECT_EQ(ulyssesCommGetAsyncError(gone, &error), ulyssesInvalidUsage);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_P(Replay, AfterDestroyLeavesNewCommunicatorsAlone) {
  registerAll();
  expectThereAndBack();
  captureAll();
  destroyAll();
  std::array<ulyssesComm_t, kRanks> comms{};
  ASSERT_EQ(ulyssesCommInitAll(comms.data(), kRanks, nullptr), ulyssesSuccess);
  for (User& user : users_) user.comm = comms[static_cast<std::size_t>(user.rank)];
  registerAll();
  for (User& user : users_) user.fill();
  launchAll();
  testing::internal::CaptureStderr();
  expectThereAndBack();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("a CUDA graph launched an exchange of rank "),
            std::string::npos);
}

// Nobody is waited for: rank 1's peers live and do not call. The deadline is far.
TEST_P(Replay, OfOneRankAfterDestroyEndsAtOnce) {
  registerAll();
  expectThereAndBack();
  captureAll();
  CpuRuntime::setDevice(user(1).gpu.device());
  EXPECT_EQ(ulyssesCommDestroy(std::exchange(user(1).comm, nullptr)), ulyssesSuccess);
  CpuRuntime::setDevice(0);
  user(1).stream.launch(user(1).graph);
  user(1).stream.wait();
  testing::internal::CaptureStderr();
  for (const int peer : {0, 2}) EXPECT_EQ(user(peer).asyncError(), ulyssesSuccess) << user(peer).lastError();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("an exchange of rank 1/3 comm "), std::string::npos);
}

class ReplayWithoutPeer : public DeviceApi {
 protected:
  ReplayWithoutPeer() : DeviceApi(true, 1'000) {}
};

// Its communicator lives, that of a thread of its process does not: it waits in vain, and what it writes meanwhile is
// memory still.
TEST_F(ReplayWithoutPeer, NamesThePeerAndWritesToNothingThatWasFreed) {
  registerAll();
  expectThereAndBack();
  each([&](User& user) {
    user.stream.beginCapture(user.graph);
    EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError();
    user.stream.endCapture();
  });
  EXPECT_EQ(ulyssesCommDestroy(std::exchange(user(1).comm, nullptr)), ulyssesSuccess);
  for (const int rank : {0, 2}) user(rank).stream.launch(user(rank).graph);
  waitAll();
  int named = 0;
  for (const int rank : {0, 2})
    named += user(rank).asyncError() == ulyssesTimeout &&
             user(rank).lastError().find("rank 1 did not come within 1000 ms") != std::string::npos;
  EXPECT_GE(named, 1) << user(0).lastError() << "; " << user(2).lastError();
}

}  // namespace
}  // namespace ulysses::test
