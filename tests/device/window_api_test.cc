// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Windows and copy engines through the public interface, with a GPU that is this process (api_test.cc says how).
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "cpu_runtime.h"
#include "fault/team.h"
#include "process_pages.h"
#include "ulysses_coll.h"

namespace ulysses::test {
namespace {

constexpr int kRanks = 3;
// What goes from rank to rank is large enough for copy engines.
constexpr std::int64_t kTokens = 6, kHeads = 6, kKvHeads = 3, kDim = 8192, kLocal = kTokens / kRanks;
// Of Q and KV: a shard of the sequence, and one of the heads, which have as many elements.
constexpr std::int64_t kQuery = kLocal * kHeads * kDim, kKv = kLocal * kKvHeads * kDim, kRoom = 16,
                       kFloats = 2 * (kQuery + kKv) + kRoom;
constexpr std::size_t kBytes = kFloats * sizeof(float);
constexpr int kCopiesOfARank = (kRanks - 1) * 2;

float valueOf(std::int64_t token, std::int64_t head, std::int64_t d, bool kv) {
  return static_cast<float>((token * kHeads + head) * kDim + d) * (kv ? -1.0F : 1.0F);
}

struct User {
  ulyssesComm_t comm = nullptr;
  int rank = 0;
  CpuRuntime gpu;
  CpuStream stream;
  float* memory = nullptr;
  void* handle = nullptr;

  float* input(bool kv) const { return memory + (kv ? kQuery : 0); }
  float* output(bool kv) const { return memory + kQuery + kKv + (kv ? kQuery : 0); }

  void fill() {
    for (const bool kv : {false, true}) {
      const std::int64_t heads = kv ? kKvHeads : kHeads;
      for (std::int64_t t = 0; t < kLocal; ++t)
        for (std::int64_t h = 0; h < heads; ++h)
          for (std::int64_t d = 0; d < kDim; ++d)
            input(kv)[(t * heads + h) * kDim + d] = valueOf(rank * kLocal + t, h, d, kv);
    }
  }
  /// Back: from the outputs to the inputs.
  ulyssesResult_t exchange(bool back = false, std::int64_t shift = 0) {
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = kTokens;
    geometry.heads = kHeads;
    geometry.kvHeads = kKvHeads;
    std::array<ulyssesTensor_t, 2> tensors{};
    for (const bool kv : {false, true}) {
      ulyssesTensor_t& tensor = tensors[kv ? 1 : 0];
      tensor.headDim = kDim;
      tensor.dtype = ulyssesFloat32;
      tensor.kind = kv ? ulyssesTensorKv : ulyssesTensorQuery;
      tensor.input = back ? output(kv) : input(kv);
      tensor.output = (back ? input(kv) : output(kv)) + shift;
    }
    return (back ? ulyssesGatherHeads : ulyssesScatterHeads)(&geometry, tensors.data(), 2, comm, &stream);
  }
  bool isGathered() const {
    for (const bool kv : {false, true}) {
      const std::int64_t heads = (kv ? kKvHeads : kHeads) / kRanks;
      for (std::int64_t t = 0; t < kTokens; ++t)
        for (std::int64_t h = 0; h < heads; ++h)
          for (std::int64_t d = 0; d < kDim; ++d)
            if (output(kv)[(t * heads + h) * kDim + d] != valueOf(t, rank * heads + h, d, kv)) return false;
    }
    return true;
  }
  ulyssesResult_t asyncError() const {
    ulyssesResult_t error = ulyssesInternalError;
    EXPECT_EQ(ulyssesCommGetAsyncError(comm, &error), ulyssesSuccess);
    return error;
  }
  std::string lastError() const { return ulyssesGetLastError(comm); }
};

class WindowApi : public testing::Test {
 protected:
  void make(const char* engine) {
    setenv("ULYSSES_GPU_ENGINE", engine, 1);
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.timeout_ms = 20'000;
    std::array<ulyssesComm_t, kRanks> comms{};
    ASSERT_EQ(ulyssesCommInitAll(comms.data(), kRanks, &config), ulyssesSuccess) << ulyssesGetLastError(nullptr);
    for (int rank = 0; rank < kRanks; ++rank) {
      User& user = users_[static_cast<std::size_t>(rank)];
      user.comm = comms[static_cast<std::size_t>(rank)];
      user.rank = rank;
      user.memory = reinterpret_cast<float*>(user.gpu.allocate(kBytes));
      user.fill();
    }
    copiesBefore_ = CpuRuntime::copies();
  }
  ~WindowApi() override {
    unsetenv("ULYSSES_GPU_ENGINE");
    waitAll();
    for (User& user : users_)
      if (user.comm != nullptr) {
        EXPECT_EQ(ulyssesCommDestroy(user.comm), ulyssesSuccess);
      }
    for (User& user : users_)  // copies of others may have come until all communicators were destroyed
      if (user.memory != nullptr) user.gpu.free(reinterpret_cast<std::byte*>(user.memory));
  }
  void registerAll(std::uint32_t flags) {
    each([&](User& user) {
      EXPECT_EQ(ulyssesCommRegisterFlags(user.comm, user.memory, kBytes, flags, &user.handle), ulyssesSuccess)
          << user.lastError();
    });
  }
  void each(const std::function<void(User&)>& fn) {
    std::vector<std::jthread> threads;
    for (User& user : users_) threads.emplace_back([&] { fn(user); });
  }
  void exchangeAll() {
    for (User& user : users_) ASSERT_EQ(user.exchange(), ulyssesSuccess) << user.lastError();
    waitAll();
    for (const User& user : users_) {
      EXPECT_TRUE(user.isGathered());
      EXPECT_EQ(user.asyncError(), ulyssesSuccess) << user.lastError();
    }
  }
  void waitAll() {
    for (User& user : users_) user.stream.wait();
  }
  int copies() const { return CpuRuntime::copies() - copiesBefore_; }

  std::array<User, kRanks> users_;
  int copiesBefore_ = 0;
};

TEST_F(WindowApi, CopyEnginesMoveWhatIsInWindowsThereAndBack) {
  make("copy_engine");
  registerAll(ULYSSES_REGISTER_WINDOW);
  exchangeAll();
  EXPECT_EQ(copies(), kRanks * kCopiesOfARank);
  for (User& user : users_) std::fill_n(user.memory, kQuery + kKv, -1.0F);
  for (User& user : users_) ASSERT_EQ(user.exchange(true), ulyssesSuccess) << user.lastError();
  waitAll();
  EXPECT_EQ(copies(), 2 * kRanks * kCopiesOfARank);
  for (User& user : users_) {
    const std::vector<float> back(user.memory, user.memory + kQuery + kKv);
    user.fill();
    EXPECT_EQ(back, std::vector<float>(user.memory, user.memory + kQuery + kKv));
  }
}

TEST_F(WindowApi, OtherMemoryIsTheKernels) {
  make("copy_engine");
  registerAll(0);
  exchangeAll();
  EXPECT_EQ(copies(), 0);
}

TEST_F(WindowApi, WithoutThePolicyWindowsAreTheKernels) {
  make("auto");
  registerAll(ULYSSES_REGISTER_WINDOW);
  exchangeAll();
  EXPECT_EQ(copies(), 0);
}

TEST_F(WindowApi, RanksThatDifferInFlagsAllGetIt) {
  make("copy_engine");
  std::array<std::string, kRanks> errors;
  each([&](User& user) {
    const std::uint32_t flags = user.rank == 1 ? 0 : ULYSSES_REGISTER_WINDOW;
    EXPECT_EQ(ulyssesCommRegisterFlags(user.comm, user.memory, kBytes, flags, &user.handle), ulyssesInvalidArgument);
    errors[static_cast<std::size_t>(user.rank)] = ulyssesGetLastError(nullptr);
  });
  for (const std::string& error : errors)
    EXPECT_EQ(error.find("flags: rank 0 registers a window, rank 1 memory that is no window"), 0u) << error;
  registerAll(ULYSSES_REGISTER_WINDOW);  // the communicators are as they were
  exchangeAll();
}

TEST_F(WindowApi, FlagsThatCannotBeAreNamed) {
  make("copy_engine");
  User& user = users_[0];
  EXPECT_EQ(ulyssesCommRegisterFlags(user.comm, user.memory, kBytes, 6, &user.handle), ulyssesInvalidArgument);
  EXPECT_EQ(std::string(ulyssesGetLastError(nullptr)).find("flags=0x6: want 0 or ULYSSES_REGISTER_WINDOW (0x1)"), 0u);
  char host[8];
  EXPECT_EQ(ulyssesCommRegisterFlags(user.comm, host, sizeof(host), ULYSSES_REGISTER_WINDOW, &user.handle),
            ulyssesInvalidArgument);
  EXPECT_NE(std::string(ulyssesGetLastError(nullptr)).find("is not GPU memory"), std::string::npos);
}

TEST_F(WindowApi, AnotherOffsetIsAMismatch) {
  make("copy_engine");
  registerAll(ULYSSES_REGISTER_WINDOW);
  CpuRuntime::letCopiesRace(true);
  for (User& user : users_)
    ASSERT_EQ(user.exchange(false, user.rank == 1 ? kRoom : 0), ulyssesSuccess) << user.lastError();
  waitAll();
  int named = 0;
  for (const User& user : users_) {
    const ulyssesResult_t error = user.asyncError();
    EXPECT_TRUE(error == ulyssesMismatch || error == ulyssesAborted) << error;
    named +=
        error == ulyssesMismatch && user.lastError().find("is not at the offset in the window") != std::string::npos;
  }
  EXPECT_GE(named, 1);
}

// Peers meet this rank, which then cannot make all its copies: nobody may take its output for good.
TEST_F(WindowApi, ACopyThatCannotBeEnqueuedFailsAtEveryRank) {
  make("copy_engine");
  registerAll(ULYSSES_REGISTER_WINDOW);
  CpuRuntime::failCopy(2);
  EXPECT_EQ(users_[0].exchange(), ulyssesSystemError);
  EXPECT_NE(users_[0].lastError().find("the test's copy failed"), std::string::npos) << users_[0].lastError();
  EXPECT_EQ(users_[1].exchange(), ulyssesSuccess);
  EXPECT_EQ(users_[2].exchange(), ulyssesSuccess);
  waitAll();
  for (const User& user : users_) EXPECT_NE(user.asyncError(), ulyssesSuccess);
}

class EngineOfProcesses : public testing::Test {
 protected:
  /// Every rank has another ULYSSES_GPU_ENGINE in its environment.
  void expectCopies(const std::array<const char*, kRanks>& engines, int copies) {
    Team team(kRanks, [&](Rank& rank) {
      setenv("ULYSSES_GPU_ENGINE", engines.at(static_cast<std::size_t>(rank.rank())), 1);
      pages_.give(rank.rank());
      runRank(rank, copies);
    });
    team.expectRight();
  }

 private:
  static void runRank(Rank& rank, int copies) {
    User user;
    user.comm = rank.join(20'000);
    user.rank = rank.rank();
    user.memory = reinterpret_cast<float*>(user.gpu.allocate(kBytes));
    user.fill();
    const int before = CpuRuntime::copies();
    rank.expectResult(ulyssesCommRegisterFlags(user.comm, user.memory, kBytes, ULYSSES_REGISTER_WINDOW, &user.handle),
                      ulyssesSuccess, "register");
    rank.expectResult(user.exchange(), ulyssesSuccess, "exchange");
    user.stream.wait();
    rank.expectResult(user.asyncError(), ulyssesSuccess, "on the device");
    rank.expect(user.isGathered(), "wrong bytes");
    rank.expect(CpuRuntime::copies() - before == copies,
                "copies: " + std::to_string(CpuRuntime::copies() - before) + ", not " + std::to_string(copies));
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(user.comm), ulyssesSuccess, "destroy");
  }

  ProcessPages pages_{kRanks};
};

TEST_F(EngineOfProcesses, IsRank0sWhereItWantsCopies) { expectCopies({"copy_engine", "sm", "auto"}, kCopiesOfARank); }

TEST_F(EngineOfProcesses, IsRank0sWhereItWantsNone) { expectCopies({"sm", "copy_engine", "copy_engine"}, 0); }

}  // namespace
}  // namespace ulysses::test
