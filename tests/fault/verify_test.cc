// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row H1 of the fault matrix: with ULYSSES_VERIFY a flipped bit is found, and told from an input that its owner
// changed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3, kVictim = 1, kSound = 2;  // so many exchanges go well

void askFor(const char* point) {
#if !defined(ULYSSES_FAULT_POINTS)
  GTEST_SKIP() << "built without the Meson option fault_points";
#endif
  setenv("ULYSSES_TEST_POINT", point, 1);
}

/// Exchanges until one fails, `most` at the most; the result of the last.
ulyssesResult_t exchangeUntil(const Rank& rank, ulyssesComm_t comm, bool registered, int most) {
  Trial trial(rank.rank(), kRanks, {.registered = registered});
  ulyssesResult_t result = ulyssesSuccess;
  for (int round = 0; round < most && result == ulyssesSuccess; ++round) {
    trial.reset(round);
    result = trial.call(comm);
    if (result == ulyssesSuccess) rank.own().step.fetch_add(1);
  }
  return result;
}

/// A bit of what rank 1 gets, or sends, is flipped in its third exchange.
void expectFound(const std::string& point, bool registered, bool findsItself, const std::vector<std::string>& parts) {
  Team team(kRanks, [&](Rank& rank) {
    setenv("ULYSSES_VERIFY", rank.rank() == 0 ? "1" : "0", 1);  // rank 0's holds for all
    if (rank.rank() == kVictim) askFor(point.c_str());
    const ulyssesComm_t comm = rank.join(10'000);
    rank.expectResult(exchangeUntil(rank, comm, registered, 10), ulyssesCorrupted, "a bit was flipped");
    rank.expectText(lastError(), parts, "a bit was flipped");
    rank.expectText(lastError(), {"scatter_heads op 3"}, "which exchange");
    if (rank.rank() == kVictim && findsItself)
      rank.expectText(lastError(), {identityText(kVictim, kRanks)}, "who found it");
    rank.expect(rank.own().step.load() >= kSound, "exchanges before it went well");
    ulyssesResult_t state = ulyssesSuccess;
    rank.expectResult(ulyssesCommGetAsyncError(comm, &state), ulyssesSuccess, "state");
    rank.expect(state == ulyssesCorrupted, "the communicator is over");
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

TEST(Verify, FlippedBitOfACopy) {
  // Three copies an exchange: the second one of the third.
  expectFound("copy.made:fail:8", true, true,
              {"tensors[0], tokens ", "of the sequence", "was damaged, first at byte ", "of the output", "from rank "});
}

TEST(Verify, FlippedBitInAWindow) {
  // Two peers, two chunks each: the first of the third exchange.
  expectFound("stage.packed:fail:9", false, false,
              {"tensors[0], tokens ", "what came from rank 1 in chunks is not what"});
}

TEST(Verify, WithoutItNothingIsFound) {
  Team team(kRanks, [&](Rank& rank) {
    if (rank.rank() == kVictim) askFor("copy.made:fail:8");
    const ulyssesComm_t comm = rank.join(10'000);
    Trial trial(rank.rank(), kRanks, {.registered = true});
    int wrong = 0;
    for (int round = 0; round < 4; ++round) {
      trial.reset(round);
      rank.expectResult(trial.call(comm), ulyssesSuccess, "nobody looks");
      wrong += !trial.isRight();
    }
    rank.expect(wrong == (rank.rank() == kVictim ? 1 : 0), "the bit was flipped all the same");
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

/// One KV head that all ranks share, its gradients summed on the way back.
struct SumCall {
  static constexpr std::int64_t kTokens = 8, kHeadDim = 16, kValues = kRanks * kTokens * kHeadDim;
  explicit SumCall(bool registered) {
    void* memory = nullptr;
    if (registered) (void)ulyssesMemAlloc(&memory, kValues * sizeof(float));
    input = registered ? static_cast<float*>(memory) : own;
    for (std::int64_t i = 0; i < kValues; ++i) input[i] = static_cast<float>(i % 97);
    geometry.sequence = kRanks * kTokens;
    geometry.heads = kRanks;
    geometry.kvHeads = 1;
    tensor.input = input;
    tensor.output = output;
    tensor.headDim = kHeadDim;
    tensor.dtype = ulyssesFloat32;
    tensor.kind = ulyssesTensorKv;
    tensor.flags = ULYSSES_TENSOR_SUM;
  }
  float own[kValues], output[kTokens * kHeadDim] = {};
  float* input = nullptr;
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  ulyssesTensor_t tensor = {};
};

/// A rank that writes to an input before the operation is complete, the commonest of all mistakes with started ones.
void expectWriterNamed(bool registered, const std::vector<std::string>& parts) {
  Team team(kRanks, [&](Rank& rank) {
    setenv("ULYSSES_VERIFY", "1", 1);
    const ulyssesComm_t comm = rank.join(10'000);
    SumCall call(registered);
    ulyssesRequest_t request;
    rank.expectResult(ulyssesGatherHeadsStart(&call.geometry, &call.tensor, 1, comm, nullptr, &request), ulyssesSuccess,
                      "start");
    rank.expectResult(ulyssesWait(&request), ulyssesSuccess, "nobody wrote");
    rank.expect(call.output[1] == 3 * call.input[rank.rank() * SumCall::kTokens * SumCall::kHeadDim + 1], "the sum");
    rank.expectResult(ulyssesGatherHeadsStart(&call.geometry, &call.tensor, 1, comm, nullptr, &request), ulyssesSuccess,
                      "start");
    if (rank.rank() == kVictim)
      for (std::int64_t i = 0; i < SumCall::kValues; ++i) call.input[i] += 1;
    rank.meet();
    rank.expectResult(ulyssesWait(&request), ulyssesCorrupted, "rank 1 wrote");
    rank.expectText(lastError(), parts, "rank 1 wrote");
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

TEST(Verify, ChangedInputOfASumInPlace) {
  expectWriterNamed(true,
                    {"gather_heads op 2", "rank 1 announced other bytes than it has now", "before the operation"});
}

/// Rank 1 finds it in its own share too; whoever is first says it.
TEST(Verify, ChangedInputOfASumInChunks) { expectWriterNamed(false, {"gather_heads op 2", "rank 1", " announced"}); }

}  // namespace

}  // namespace ulysses::test
