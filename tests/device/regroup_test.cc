// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Communicators made of others know no device memory until it is registered with them.
#include "device_api.h"

namespace ulysses::test {
namespace {

constexpr int kPair = 2;
constexpr std::int64_t kLocalOfPair = kTokens / kPair, kElements = kLocalOfPair * kHeads * kDim;  // of each end
static_assert(2 * kElements <= User::kFloats);

/// What rank 1 of three leaves behind.
struct Member {
  ulyssesComm_t comm = nullptr;
  int rank = -1;
  void* handle = nullptr;
};

class DeviceRegroup : public DeviceApi {
 protected:
  DeviceRegroup() : DeviceApi(true) {}
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "each rank of a split maps the board at its own address: the sanitizer sees no order between them";
#endif
  }
  ~DeviceRegroup() override {
    waitAll();
    for (const Member& member : members_)
      if (member.comm != nullptr) {
        EXPECT_EQ(ulyssesCommDestroy(member.comm), ulyssesSuccess);
      }
  }
  Member& memberOf(const User& user) { return members_.at(static_cast<std::size_t>(user.rank)); }
  void split() {
    each([&](User& user) {
      EXPECT_EQ(
          ulyssesCommSplit(user.comm, user.rank == 1 ? ULYSSES_SPLIT_NOCOLOR : 0, 0, &memberOf(user).comm, nullptr),
          ulyssesSuccess)
          << user.lastError();
      memberOf(user).rank = user.rank / 2;
    });
  }
  void shrink() {
    CpuRuntime::setDevice(1);
    EXPECT_EQ(ulyssesCommDestroy(std::exchange(user(1).comm, nullptr)), ulyssesSuccess);
    CpuRuntime::setDevice(0);
    each([&](User& user) {
      if (user.rank == 1) return;
      EXPECT_EQ(ulyssesCommShrink(user.comm, nullptr, 0, &memberOf(user).comm, nullptr), ulyssesSuccess)
          << user.lastError();
      memberOf(user).rank = user.rank / 2;
    });
  }
  void eachMember(const std::function<void(User&, Member&)>& fn) {
    each([&](User& user) {
      if (user.rank != 1) fn(user, memberOf(user));
    });
  }
  static ulyssesResult_t exchange(User& user, const Member& member) {
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = kTokens;
    geometry.heads = geometry.kvHeads = kHeads;
    ulyssesTensor_t tensor{};
    tensor.headDim = kDim;
    tensor.dtype = ulyssesFloat32;
    tensor.input = user.memory;
    tensor.output = user.memory + kElements;
    for (std::int64_t t = 0; t < kLocalOfPair; ++t)
      for (std::int64_t h = 0; h < kHeads; ++h)
        for (std::int64_t d = 0; d < kDim; ++d)
          user.memory[(t * kHeads + h) * kDim + d] = valueOf(member.rank * kLocalOfPair + t, h, d);
    return ulyssesScatterHeads(&geometry, &tensor, 1, member.comm, &user.stream);
  }
  void expectWorksOnceRegistered() {
    eachMember([](User& user, Member& member) {
      EXPECT_EQ(ulyssesCommRegister(member.comm, user.memory, User::kFloats * sizeof(float), &member.handle),
                ulyssesSuccess)
          << ulyssesGetLastError(member.comm);
      EXPECT_EQ(exchange(user, member), ulyssesSuccess) << ulyssesGetLastError(member.comm);
    });
    waitAll();
    constexpr std::int64_t kHeadsEach = kHeads / kPair;
    for (const User& user : users_)
      for (std::int64_t i = 0; user.rank != 1 && i < kElements; ++i)
        ASSERT_EQ(user.memory[kElements + i],
                  valueOf(i / kDim / kHeadsEach, memberOf(user).rank * kHeadsEach + i / kDim % kHeadsEach, i % kDim));
  }
  /// At both, before any registration.
  void expectRemedyIsNamed() {
    eachMember([](User& user, const Member& member) {
      const ulyssesResult_t result = exchange(user, member);
      EXPECT_TRUE(result == ulyssesInvalidUsage || result == ulyssesRemoteInvalid) << result;
      const std::string error = ulyssesGetLastError(member.comm);
      EXPECT_NE(error.find("of which this communicator knows none (those that it was made of do not count): register "
                           "that of the outputs with ulyssesCommRegister at every rank"),
                std::string::npos)
          << error;
    });
  }

  std::array<Member, kRanks> members_;
};

TEST_F(DeviceRegroup, AfterSplitMemoryIsRegisteredAgainAndTheOldCommunicatorGoesOn) {
  registerAll();
  expectThereAndBack();
  split();
  expectRemedyIsNamed();
  expectWorksOnceRegistered();
  for (User& user : users_) user.fill();
  expectThereAndBack();
}

TEST_F(DeviceRegroup, ARegistrationOfTheOldCommunicatorIsNoneOfTheNew) {
  registerAll();
  split();
  EXPECT_NE(ulyssesCommDeregister(memberOf(user(0)).comm, user(0).handle), ulyssesSuccess);
  EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("handle"), std::string::npos)
      << ulyssesGetLastError(nullptr);
  expectWorksOnceRegistered();
}

TEST_F(DeviceRegroup, AfterShrinkMemoryIsRegisteredAgain) {
  registerAll();
  expectThereAndBack();
  shrink();
  expectRemedyIsNamed();
  expectWorksOnceRegistered();
}

}  // namespace
}  // namespace ulysses::test
