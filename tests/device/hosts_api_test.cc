// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Device tensors of ranks of two hosts through the public interface: ranks 0 and 1 on one, rank 2 on the other. GPUs
// and hosts are this process.
#include <sys/resource.h>

#include <algorithm>

#include "comm/handle_table.h"
#include "device_api.h"
#include "host_comms.h"
#include "path/cuda/launch_lease.h"
#include "path/shm/segment.h"

namespace ulysses::test {
namespace {

using Fate = CpuRuntime::Fate;

DeviceApi::Comms onTwoHosts(std::int64_t timeoutMs) {
  DeviceApi::Comms handles{};
  auto comms = makeHostComms({0, 0, 1}, timeoutMs);
  for (std::size_t rank = 0; rank < comms.size(); ++rank)
    handles[rank] = reinterpret_cast<ulyssesComm_t>(HandleTable::instance().add(std::move(comms[rank])));
  return handles;
}

class HostsApi : public DeviceApi {
 protected:
  explicit HostsApi(std::int64_t timeoutMs = 60'000, bool gpuEach = true) : DeviceApi(gpuEach, timeoutMs, onTwoHosts) {
    for (const User& user : users_) std::fill_n(user.gatheredQuery(), kOutputs, kBefore);
  }
  ~HostsApi() override {
    CpuRuntime::setFate(1, Fate::Run);
    CpuRuntime::failReach(-1, 0);
    waitAll();
    each([](User& user) {  // at once: whoever ends lets its peers' connections close
      ulyssesComm_t const comm = std::exchange(user.comm, nullptr);
      if (comm == nullptr) return;
      EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
    });
  }
  void exchangeAll() {
    each([](User& user) { EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError(); });
  }
  static constexpr std::int64_t kOutputs = User::kGatheredQuery + User::kGatheredKv;
  static constexpr float kBefore = -1.0F;  // in what exchanges write; not in its image
  static void expectUntouched(const User& user) {
    for (std::int64_t i = 0; i < kOutputs; ++i) ASSERT_EQ(user.gatheredQuery()[i], kBefore) << i;
  }
  /// All ranks' exchange has failed: with that result, the same words, and for good; of the hosts' tensors it has not.
  void expectFailed(ulyssesResult_t result, const std::string& text) {
    for (User& user : users_) {
      EXPECT_EQ(user.asyncError(), result) << user.lastError();
      EXPECT_NE(user.lastError().find(text), std::string::npos) << "rank " << user.rank << ": " << user.lastError();
      expectUntouched(user);
    }
    each([](User& user) { EXPECT_EQ(user.exchange(false), user.asyncError()); });
    each([](User& user) { user.expectHostExchangeWorks(); });
  }
};

TEST_F(HostsApi, ThereAndBackWithSharedKvHeads) {
  registerAll();
  for (int i = 0; i < 3; ++i) {
    expectThereAndBack();
    for (User& user : users_) user.fill();
  }
}

class HostsOfOneGpu : public HostsApi {
 protected:
  HostsOfOneGpu() : HostsApi(60'000, false) {}
};
TEST_F(HostsOfOneGpu, ThereAndBackWithSharedKvHeads) {
  registerAll();
  expectThereAndBack();
}

// Calls only enqueue: no group, no thread for each rank. The second reads what the first writes.
TEST_F(HostsApi, OneThreadCallsForAllRanksTwiceBeforeAnybodyWaits) {
  registerAll();
  for (const bool back : {false, true})
    for (User& user : users_) {
      CpuRuntime::setDevice(user.gpu.device());
      ASSERT_EQ(user.exchange(back), ulyssesSuccess) << user.lastError();
    }
  CpuRuntime::setDevice(0);
  waitAll();
  for (const User& user : users_) {
    expectGathered(user);
    for (std::int64_t t = 0; t < kLocal; ++t)
      for (std::int64_t d = 0; d < kDim; ++d) {
        ASSERT_EQ(user.query()[t * kHeads * kDim + d], valueOf(user.rank * kLocal + t, 0, d));
        ASSERT_EQ(user.kv()[t * kKvHeads * kDim + d], 2 * valueOf(user.rank * kLocal + t, 0, d));
      }
  }
}

TEST_F(HostsApi, ReplaysOfACapturedCallAreExchanges) {
  registerAll();
  for (User& user : users_) user.stream.beginCapture(user.graph);
  exchangeAll();
  for (User& user : users_) user.stream.endCapture();
  waitAll();
  for (const User& user : users_) expectUntouched(user);
  for (int replay = 1; replay <= 3; ++replay) {
    for (User& user : users_) user.query()[0] = static_cast<float>(-replay);  // of head 0, which rank 0 gathers
    for (User& user : users_) user.stream.launch(user.graph);
    waitAll();
    for (int rank = 0; rank < kRanks; ++rank)
      EXPECT_EQ(user(0).gatheredQuery()[rank * kLocal * 2 * kDim], static_cast<float>(-replay)) << rank;
  }
}

// After its exchange a rank may overwrite its inputs at once, whatever its peers are doing.
TEST_F(HostsApi, RanksMayComeAtAnyTime) {
  registerAll();
  each([](User& user) {
    for (int i = 0; i < 12; ++i) {
      if ((user.rank + i) % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(7 * (i % 4)));
      user.query()[0] = static_cast<float>(i);
      EXPECT_EQ(user.exchange(false), ulyssesSuccess) << user.lastError();
      user.stream.wait();
      for (int rank = 0; user.rank == 0 && rank < kRanks; ++rank)
        EXPECT_EQ(user.gatheredQuery()[rank * kLocal * 2 * kDim], static_cast<float>(i)) << rank;
    }
  });
}

TEST_F(HostsApi, ARankThatGoesOnInTimeIsWaitedFor) {
  registerAll();
  CpuRuntime::setFate(1, Fate::Wait);
  exchangeAll();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  for (const User& user : users_) EXPECT_EQ(user.asyncError(), ulyssesSuccess);
  CpuRuntime::setFate(1, Fate::Run);
  waitAll();
  for (const User& user : users_) expectGathered(user);
}

TEST_F(HostsApi, AnotherCallIsAMismatchInTheHostsWords) {
  registerAll();
  ulyssesGeometry_t geometry = User::geometryOf();
  for (User& user : users_) {
    geometry.tag = user.rank == 2 ? 7 : 0;
    CpuRuntime::setDevice(user.rank);
    const auto tensors = user.tensors(false);
    EXPECT_EQ(ulyssesScatterHeads(&geometry, tensors.data(), 2, user.comm, &user.stream), ulyssesSuccess);
  }
  CpuRuntime::setDevice(0);
  waitAll();
  expectFailed(ulyssesMismatch, "tag: rank 0 passed 0x0000000000000000, rank 2 passed 0x0000000000000007");
}

TEST_F(HostsApi, ACallThatCannotBeMadeFailsThePeersInItsWords) {
  registerAll();
  EXPECT_EQ(user(0).exchange(false), ulyssesSuccess);
  ulyssesGeometry_t geometry = User::geometryOf();
  geometry.sequence = kTokens + 1;
  const auto tensors = user(1).tensors(false);
  CpuRuntime::setDevice(1);
  EXPECT_EQ(ulyssesScatterHeads(&geometry, tensors.data(), 2, user(1).comm, &user(1).stream), ulyssesInvalidArgument);
  CpuRuntime::setDevice(2);
  EXPECT_EQ(user(2).exchange(false), ulyssesSuccess);
  CpuRuntime::setDevice(0);
  waitAll();
  for (const int rank : {0, 2}) EXPECT_EQ(user(rank).asyncError(), ulyssesRemoteInvalid) << user(rank).lastError();
  EXPECT_EQ(user(1).asyncError(), ulyssesInvalidArgument) << user(1).lastError();
  for (User& user : users_) {
    EXPECT_NE(user.lastError().find("sequence=7"), std::string::npos) << user.lastError();
    expectUntouched(user);
  }
  each([](User& user) { EXPECT_EQ(user.exchange(false), user.asyncError()); });
}

TEST_F(HostsApi, AnInputThatIsNotRegisteredIsNamed) {
  registerAll();
  auto tensors = user(0).tensors(false);
  const DeviceMemory other(user(0).gpu, user(0).gpu.allocate(User::kQuery * std::int64_t{sizeof(float)}));
  tensors[0].input = other.data();
  const ulyssesGeometry_t geometry = User::geometryOf();
  EXPECT_EQ(ulyssesScatterHeads(&geometry, tensors.data(), 2, user(0).comm, &user(0).stream), ulyssesInvalidUsage);
  EXPECT_NE(user(0).lastError().find("tensors[0].input: its 384 bytes"), std::string::npos) << user(0).lastError();
  EXPECT_NE(user(0).lastError().find("register both with ulyssesCommRegister at every rank"), std::string::npos);
}

class HostsInShortTime : public HostsApi {
 protected:
  HostsInShortTime() : HostsApi(2'000) {}
};

TEST_F(HostsInShortTime, ARankThatDoesNotComeIsNamed) {
  registerAll();
  CpuRuntime::setFate(1, Fate::Never);
  exchangeAll();
  waitAll();
  CpuRuntime::setFate(1, Fate::Run);
  for (const int rank : {0, 2}) {
    EXPECT_EQ(user(rank).asyncError(), ulyssesTimeout) << user(rank).lastError();
    EXPECT_NE(user(rank).lastError().find("deadline passed, waiting for rank 1"), std::string::npos)
        << user(rank).lastError();
    expectUntouched(user(rank));
    CpuRuntime::setDevice(rank);
    EXPECT_EQ(user(rank).exchange(false), ulyssesTimeout);
  }
  each([](User& user) { user.expectHostExchangeWorks(); });
}

// A12: images, words and the thread are gone.
TEST_F(HostsApi, A12_ReplaysAfterDestroyMoveNothingAndAreNamed) {
  registerAll();
  for (User& user : users_) user.stream.beginCapture(user.graph);
  exchangeAll();
  for (User& user : users_) user.stream.endCapture();
  each([](User& user) { EXPECT_EQ(ulyssesCommDestroy(std::exchange(user.comm, nullptr)), ulyssesSuccess); });
  EXPECT_EQ(takeReplayText(), "");
  for (User& user : users_) user.stream.launch(user.graph);
  waitAll();
  for (const User& user : users_) expectUntouched(user);
  const std::string text = takeReplayText();
  EXPECT_NE(text.find("rank "), std::string::npos) << text;
  EXPECT_NE(text.find("after that communicator was destroyed"), std::string::npos) << text;
}

// Its peers' later launches find the communicator of their hosts revoked: they end at once.
TEST_F(HostsInShortTime, ReplaysAfterAFailureWriteNothingAndWaitForNobody) {
  registerAll();
  for (User& user : users_) user.stream.beginCapture(user.graph);
  exchangeAll();
  for (User& user : users_) user.stream.endCapture();
  user(0).stream.launch(user(0).graph);
  user(2).stream.launch(user(2).graph);
  waitAll();
  const auto begin = std::chrono::steady_clock::now();
  for (User& user : users_) user.stream.launch(user.graph);
  waitAll();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1'900));
  for (const User& user : users_) {
    EXPECT_EQ(user.asyncError(), ulyssesTimeout) << user.lastError();
    expectUntouched(user);
  }
}

TEST_F(HostsApi, AbortEndsExchangesThatWait) {
  registerAll();
  EXPECT_EQ(user(0).exchange(false), ulyssesSuccess);
  CpuRuntime::setDevice(2);
  EXPECT_EQ(user(2).exchange(false), ulyssesSuccess);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ulyssesCommAbort(user(0).comm), ulyssesSuccess);
  user(0).comm = nullptr;
  for (const int rank : {0, 2}) user(rank).stream.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));  // not 60, as a deadline would
  EXPECT_EQ(user(2).asyncError(), ulyssesAborted) << user(2).lastError();
  EXPECT_NE(user(2).lastError().find("rank 0"), std::string::npos) << user(2).lastError();
  for (const int rank : {0, 2}) expectUntouched(user(rank));
}

TEST_F(HostsApi, ARankThatIsGoneIsNamed) {
  registerAll();
  expectThereAndBack();
  CpuRuntime::setDevice(2);
  EXPECT_EQ(ulyssesCommDestroy(user(2).comm), ulyssesSuccess);
  user(2).comm = nullptr;
  for (const int rank : {0, 1}) {
    CpuRuntime::setDevice(rank);
    EXPECT_EQ(user(rank).exchange(false), ulyssesSuccess) << user(rank).lastError();
  }
  CpuRuntime::setDevice(0);
  waitAll();
  for (const int rank : {0, 1}) {
    EXPECT_EQ(user(rank).asyncError(), ulyssesRemoteLost) << user(rank).lastError();
    EXPECT_NE(user(rank).lastError().find("rank 2 was lost"), std::string::npos) << user(rank).lastError();
  }
}

TEST_F(HostsApi, CallsInSteadyStateTakeNothingAndAskTheDriverNothing) {
  registerAll();
  expectThereAndBack();
  const std::size_t before = CpuRuntime::driverCalls(), held = CpuRuntime::held();
  const std::size_t segments = SegmentRegistry::instance().snapshot().size();
  for (int i = 0; i < 3; ++i)
    for (const bool back : {false, true}) each([&](User& user) { EXPECT_EQ(user.exchange(back), ulyssesSuccess); });
  waitAll();
  EXPECT_EQ(CpuRuntime::driverCalls(), before);
  EXPECT_EQ(CpuRuntime::held(), held);
  EXPECT_EQ(SegmentRegistry::instance().snapshot().size(), segments);
  for (const User& user : users_) EXPECT_EQ(user.asyncError(), ulyssesSuccess) << user.lastError();
}

/// Of this process so far: how often a thread let go of its core, and the microseconds of cores.
std::pair<std::int64_t, std::int64_t> napsAndMicroseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto inUs = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
  return {usage.ru_nvcsw, inUs(usage.ru_utime) + inUs(usage.ru_stime)};
}

// One thread for each rank waits, and naps. By the nap, as a busy machine gives little to threads that spin either.
TEST_F(HostsApi, WaitingForCallsTakesLittleOfACore) {
  constexpr std::int64_t kMostUsANap = 500;
  registerAll();
  exchangeAll();
  waitAll();
  const auto [napsBefore, usBefore] = napsAndMicroseconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto [naps, us] = napsAndMicroseconds();
  EXPECT_LT(us - usBefore, kMostUsANap * (naps - napsBefore)) << naps - napsBefore << " naps";
}

TEST_F(HostsApi, ARegistrationThatOneRankCannotMakeFailsEverywhereAndLeavesNothing) {
  registerAll();
  each([](User& user) { EXPECT_EQ(ulyssesCommDeregister(user.comm, user.handle), ulyssesSuccess); });
  CpuRuntime::failReach(1, User::kFloats * std::int64_t{sizeof(float)});
  const std::size_t segments = SegmentRegistry::instance().snapshot().size();
  each([&](User& user) {
    EXPECT_EQ(ulyssesCommRegister(user.comm, user.memory, User::kFloats * sizeof(float), &user.handle),
              ulyssesInvalidArgument);
    EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("rank 1 cannot register its device memory"),
              std::string::npos);
    EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("the test's pinning failed"), std::string::npos)
        << ulyssesGetLastError(nullptr);
  });
  EXPECT_EQ(SegmentRegistry::instance().snapshot().size(), segments);
  CpuRuntime::failReach(-1, 0);
  registerAll();
  expectThereAndBack();
}

TEST_F(HostsApi, DeregisteredMemoryIsNotExchanged) {
  registerAll();
  expectThereAndBack();
  each([](User& user) { EXPECT_EQ(ulyssesCommDeregister(user.comm, user.handle), ulyssesSuccess); });
  EXPECT_EQ(user(0).exchange(false), ulyssesInvalidUsage);
  EXPECT_NE(user(0).lastError().find("are not in registered device memory"), std::string::npos);
}

TEST_F(HostsApi, ADestroyWaitsForWhatIsEnqueued) {
  registerAll();
  exchangeAll();
  each([](User& user) {
    EXPECT_EQ(ulyssesCommDestroy(user.comm), ulyssesSuccess);
    user.comm = nullptr;
  });
  for (const User& user : users_) expectGathered(user);
}

}  // namespace
}  // namespace ulysses::test
