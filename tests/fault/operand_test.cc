// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows A1, A4, A5, A7-A10 of the fault matrix, the ones that must work: odd operands give the right bytes.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "fault/local_ranks.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

void expectRight(int nRanks, const TrialOptions& options) {
  const LocalRanks ranks(nRanks);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Trial trial(rank, nRanks, options);
    EXPECT_EQ(trial.exchange(comm, 3), "") << "rank " << rank;
  });
}

TEST(Operand, MisalignedPointers) {
  for (const int bytes : {1, 2, 3}) expectRight(3, {.misalignment = bytes});
  for (const bool registered : {false, true}) {
    Team team(2, [registered](Rank& rank) {
      const ulyssesComm_t comm = rank.join(5000);
      Trial trial(rank.rank(), 2, {.registered = registered, .misalignment = 1});
      rank.expectNone(trial.exchange(comm, 4), "misaligned by 1");
      rank.meet();
      (void)ulyssesCommDestroy(comm);
    });
    team.expectRight();
  }
}

TEST(Operand, OneRankCopies) { expectRight(1, {}); }

TEST(Operand, UnevenHeadsAndTokens) { expectRight(3, {.tokens = {5, 24, 1}, .heads = {3, 1, 2}}); }

TEST(Operand, NullWhereNothingIs) {
  const LocalRanks ranks(3);
  ranks.run([](int rank, ulyssesComm_t comm) {
    Trial trial(rank, 3, {.tokens = {24, 0, 12}, .heads = {2, 1, 0}});
    if (rank == 1) trial.tensors[0].input = nullptr;   // holds no token
    if (rank == 2) trial.tensors[0].output = nullptr;  // holds no head
    EXPECT_EQ(trial.call(comm), ulyssesSuccess) << lastError();
    EXPECT_TRUE(trial.isRight()) << "rank " << rank;
  });
  ranks.run([](int rank, ulyssesComm_t comm) {
    Trial trial(rank, 3);
    trial.geometry.sequence = 0;
    trial.tensors[0].input = trial.tensors[0].output = nullptr;
    EXPECT_EQ(trial.call(comm), ulyssesSuccess) << lastError();
    EXPECT_TRUE(trial.isUntouched()) << "rank " << rank;
  });
}

ulyssesGeometry_t smallGeometry(std::int64_t sequence, std::int64_t heads) {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = sequence;
  geometry.heads = heads;
  return geometry;
}

/// Tokens in reverse order in memory, and one value for every head by a stride of 0.
TEST(Operand, NegativeAndZeroStrides) {
  constexpr int kRanks = 2, kTokens = 5, kHeads = 4, kDim = 3;
  const LocalRanks ranks(kRanks);
  ranks.run([](int rank, ulyssesComm_t comm) {
    std::vector<std::int32_t> input(kTokens * kDim), output(kRanks * kTokens * kHeads / kRanks * kDim, -1);
    for (int s = 0; s < kTokens; ++s)
      for (int d = 0; d < kDim; ++d)
        input[static_cast<std::size_t>((kTokens - 1 - s) * kDim + d)] = (rank * kTokens + s) * kDim + d;
    ulyssesTensor_t tensor = {};
    tensor.input = input.data() + (kTokens - 1) * kDim;
    tensor.output = output.data();
    tensor.headDim = kDim;
    tensor.dtype = ulyssesInt32;
    tensor.inputLayout = ulyssesLayoutStrided;
    tensor.inputStrides = {-kDim, 0, 0, 0};
    const ulyssesGeometry_t geometry = smallGeometry(kRanks * kTokens, kHeads);
    ASSERT_EQ(ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), ulyssesSuccess) << lastError();
    for (std::size_t i = 0; i < output.size(); ++i) {
      const std::size_t token = i / (kDim * kHeads / kRanks);
      ASSERT_EQ(output[i], static_cast<std::int32_t>(token * kDim + i % kDim)) << "rank " << rank << " element " << i;
    }
  });
}

/// Input and output as the halves of every batch of one buffer: their address ranges overlap, their elements do not.
TEST(Operand, InterleavedSlicesOfOneBuffer) {
  constexpr std::int64_t kRanks = 2, kTokens = 6, kBatch = 3, kHeads = 4, kDim = 8, kHalf = kTokens * kHeads * kDim;
  const LocalRanks ranks(kRanks);
  ranks.run([](int rank, ulyssesComm_t comm) {
    std::vector<std::int32_t> buffer(kBatch * 2 * kHalf, -1);
    const auto inputAt = [&](std::int64_t b, std::int64_t i) -> auto& {
      return buffer[static_cast<std::size_t>(b * 2 * kHalf + i)];
    };
    for (std::int64_t b = 0; b < kBatch; ++b)
      for (std::int64_t i = 0; i < kHalf; ++i)
        inputAt(b, i) = static_cast<std::int32_t>((b * kRanks + rank) * kHalf + i);
    ulyssesTensor_t tensor = {};
    tensor.input = buffer.data();
    tensor.output = buffer.data() + kHalf;
    tensor.headDim = kDim;
    tensor.dtype = ulyssesInt32;
    tensor.inputLayout = tensor.outputLayout = ulyssesLayoutStrided;
    tensor.inputStrides = {kHeads * kDim, 2 * kHalf, kDim, kDim};
    tensor.outputStrides = {kHeads / kRanks * kDim, 2 * kHalf, kDim, kDim};
    ulyssesGeometry_t geometry = smallGeometry(kRanks * kTokens, kHeads);
    geometry.batch = kBatch;
    ASSERT_EQ(ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), ulyssesSuccess) << lastError();
    for (std::int64_t b = 0; b < kBatch; ++b)
      for (std::int64_t i = 0; i < kHalf; ++i) {
        const std::int64_t row = i / kDim, token = row / (kHeads / kRanks), from = token / kTokens;
        const std::int64_t head = rank * kHeads / kRanks + row % (kHeads / kRanks);
        const std::int64_t place = ((token % kTokens) * kHeads + head) * kDim + i % kDim;
        ASSERT_EQ(inputAt(b, kHalf + i), (b * kRanks + from) * kHalf + place) << "output " << b << " " << i;
        ASSERT_EQ(inputAt(b, i), (b * kRanks + rank) * kHalf + i) << "input " << b << " " << i;
      }
  });
}

std::int64_t availableGiB() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string word; meminfo >> word;) {
    std::int64_t kib = 0;
    if (word == "MemAvailable:" && meminfo >> kib) return kib >> 20;
  }
  return 0;
}

/// Rank 0 holds all heads: its output has more than 2^31 elements, half of them from rank 1. Inputs are windows that
/// slide over a small buffer by one element a token, so no two rows are alike and no big input is needed.
TEST(Operand, MoreElementsThan31BitsCount) {
  if (availableGiB() < 5) GTEST_SKIP() << "needs 5 GiB of memory, " << availableGiB() << " available";
  constexpr std::int64_t kHeads = 16, kDim = 128, kRow = kHeads * kDim, kTokens = (std::int64_t{1} << 20) / 2 + 512;
  constexpr std::size_t kBytes = static_cast<std::size_t>(2 * kTokens * kRow);
  static_assert(kBytes > (std::size_t{1} << 31));
  std::vector<std::uint8_t> inputs[2];
  for (std::uint32_t rank = 0; rank < 2; ++rank)
    for (std::uint32_t i = 0; i < kTokens + kRow; ++i)
      inputs[rank].push_back(static_cast<std::uint8_t>((i * 2 + rank + 1) * 0x9e3779b1u >> 24));
  void* output = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(output, MAP_FAILED);
  const LocalRanks ranks(2, 60'000);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    ulyssesGeometry_t geometry = smallGeometry(2 * kTokens, kHeads);
    const std::int64_t heads[] = {kHeads, 0};
    geometry.queryHeads = heads;
    ulyssesTensor_t tensor = {};
    tensor.input = inputs[rank].data();
    tensor.output = rank == 0 ? output : nullptr;
    tensor.headDim = kDim;
    tensor.dtype = ulyssesUint8;
    tensor.inputLayout = ulyssesLayoutStrided;
    tensor.inputStrides = {1, 0, kDim, kDim};
    EXPECT_EQ(ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), ulyssesSuccess) << lastError();
  });
  const auto* row = static_cast<const std::uint8_t*>(output);
  std::int64_t wrong = 0;
  for (std::int64_t token = 0; token < 2 * kTokens; ++token, row += kRow)
    wrong += std::memcmp(row, inputs[token / kTokens].data() + token % kTokens, kRow) != 0;
  EXPECT_EQ(wrong, 0) << "rows of " << 2 * kTokens;
  munmap(output, kBytes);
}

}  // namespace

}  // namespace ulysses::test
