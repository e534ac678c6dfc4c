// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Three ranks of this process that exchange device tensors through the public interface. The GPUs are CpuRuntimes.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <thread>
#include <vector>

#include "cpu_runtime.h"
#include "ulysses_coll.h"

namespace ulysses::test {

constexpr int kRanks = 3;
constexpr std::int64_t kTokens = 6, kHeads = 6, kKvHeads = 2, kDim = 8, kLocal = kTokens / kRanks;

inline float valueOf(std::int64_t token, std::int64_t head, std::int64_t d) {
  return static_cast<float>(token * 1000 + head * 10 + d);
}

/// One rank: its communicator, its stream and four tensors in one allocation of device memory.
struct User {
  ulyssesComm_t comm = nullptr;
  int rank = 0;
  CpuRuntime gpu;
  CpuStream stream;
  CpuGraph graph;
  float* memory = nullptr;
  void* handle = nullptr;

  // Shards of the sequence with all heads, and of the heads with the whole sequence, of Q and KV.
  static constexpr std::int64_t kQuery = kLocal * kHeads * kDim, kKv = kLocal * kKvHeads * kDim,
                                kGatheredQuery = kTokens * kHeads * kDim, kGatheredKv = kTokens * kDim,
                                kFloats = kQuery + kKv + kGatheredQuery + kGatheredKv;
  float* query() const { return memory; }
  float* kv() const { return query() + kQuery; }
  float* gatheredQuery() const { return kv() + kKv; }
  float* gatheredKv() const { return gatheredQuery() + kGatheredQuery; }

  std::array<ulyssesTensor_t, 2> tensors(bool back) const {
    std::array<ulyssesTensor_t, 2> both{};
    for (ulyssesTensor_t& tensor : both) {
      tensor.headDim = kDim;
      tensor.dtype = ulyssesFloat32;
    }
    both[1].kind = ulyssesTensorKv;
    both[1].flags = back ? ULYSSES_TENSOR_SUM : 0;
    both[0].input = back ? gatheredQuery() : query();
    both[0].output = back ? query() : gatheredQuery();
    both[1].input = back ? gatheredKv() : kv();
    both[1].output = back ? kv() : gatheredKv();
    return both;
  }
  static ulyssesGeometry_t geometryOf() {
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = kTokens;
    geometry.heads = kHeads;
    geometry.kvHeads = kKvHeads;
    return geometry;
  }
  /// `tag`: another call for the library, the same for the data.
  ulyssesResult_t exchange(bool back, std::uint64_t tag = 0) {
    ulyssesGeometry_t geometry = geometryOf();
    geometry.tag = tag;
    const auto both = tensors(back);
    return (back ? ulyssesGatherHeads : ulyssesScatterHeads)(&geometry, both.data(), 2, comm, &stream);
  }
  void fill() {
    for (std::int64_t t = 0; t < kLocal; ++t)
      for (std::int64_t d = 0; d < kDim; ++d) {
        for (std::int64_t h = 0; h < kHeads; ++h)
          query()[(t * kHeads + h) * kDim + d] = valueOf(rank * kLocal + t, h, d);
        for (std::int64_t h = 0; h < kKvHeads; ++h)
          kv()[(t * kKvHeads + h) * kDim + d] = valueOf(rank * kLocal + t, h, d);
      }
  }
  /// Whether every value is what a ScatterHeads of all ranks' fill() leaves, and a GatherHeads with sums after it.
  bool isGathered() const;
  bool isBack() const;
  std::string lastError() const { return ulyssesGetLastError(comm); }
  ulyssesResult_t asyncError() const {
    ulyssesResult_t error = ulyssesInternalError;
    EXPECT_EQ(ulyssesCommGetAsyncError(comm, &error), ulyssesSuccess);
    return error;
  }
  /// Every rank tells the others its number, in host memory. By all ranks.
  void expectHostExchangeWorks() const {
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = geometry.heads = kRanks;
    geometry.kvHeads = 1;
    ulyssesTensor_t tensor{};
    tensor.headDim = 1;
    tensor.dtype = ulyssesFloat32;
    tensor.kind = ulyssesTensorKv;
    const auto mine = static_cast<float>(rank);
    std::array<float, kRanks> all{};
    tensor.input = &mine;
    tensor.output = all.data();
    EXPECT_EQ(ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), ulyssesSuccess) << lastError();
    EXPECT_EQ(all, (std::array<float, kRanks>{0, 1, 2}));
  }
};

class DeviceApi : public testing::Test {
 public:
  using Comms = std::array<ulyssesComm_t, kRanks>;

 protected:
  /// Ranks that are threads of this process, all on one host.
  static Comms initAll(std::int64_t timeoutMs);
  /// gpuEach: every rank has a GPU of its own, else all share one.
  explicit DeviceApi(bool gpuEach = false, std::int64_t timeoutMs = 20'000,
                     const std::function<Comms(std::int64_t timeoutMs)>& makeComms = initAll);
  ~DeviceApi() override;
  /// On a thread for each rank.
  void each(const std::function<void(User&)>& fn) {
    std::vector<std::jthread> threads;
    for (User& user : users_)
      threads.emplace_back([&] {
        CpuRuntime::setDevice(user.gpu.device());
        fn(user);
      });
  }
  void registerAll() {
    each([](User& user) {
      EXPECT_EQ(ulyssesCommRegister(user.comm, user.memory, User::kFloats * sizeof(float), &user.handle),
                ulyssesSuccess)
          << user.lastError();
    });
  }
  void waitAll() {
    for (User& user : users_) user.stream.wait();
  }
  /// Exchanges there and back again, with sums, whose every value is checked.
  void expectThereAndBack();
  User& user(int rank) { return users_[static_cast<std::size_t>(rank)]; }

  static void expectGathered(const User& user) { EXPECT_TRUE(user.isGathered()) << "rank " << user.rank; }

  std::array<User, kRanks> users_;
};

}  // namespace ulysses::test
