// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls that cannot be, differ or fail: an error that names the argument and its value at the rank that passed it, the
// reason at its peers, at once; and the communicator goes on. And local attention by a callback.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "fault/local_ranks.h"
#include "fault/texts.h"
#include "fault/trial.h"
#include "ulysses_attention.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 2;
constexpr std::int64_t kTokens = 6, kHeads = 4, kDim = 2;

/// A good call of one rank, to be spoiled.
class Call {
 public:
  Call() {
    geometry.sequence = kTokens * kRanks;
    geometry.heads = kHeads;
    tensors.headDim = kDim;
    for (ulyssesAttentionTensor_t* tensor :
         {&tensors.query, &tensors.key, &tensors.value, &tensors.output, &tensors.lse, &tensors.outputGradient,
          &tensors.queryGradient, &tensors.keyGradient, &tensors.valueGradient}) {
      memory_.emplace_back(static_cast<std::size_t>(kTokens * kHeads * kDim), 0.25F);
      tensor->data = memory_.back().data();
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  ulyssesResult_t run(ulyssesComm_t comm) {
    auto* const attend = backward ? ulyssesAttentionBackward : ulyssesAttentionForward;
    return attend(geometryPointer, tensorsPointer, &options, workspace, workspaceBytes, comm, nullptr, &stats);
  }
  const float* output() const { return static_cast<const float*>(tensors.output.data); }

  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  ulyssesAttentionTensors_t tensors = ULYSSES_ATTENTION_TENSORS_INITIALIZER;
  ulyssesAttentionOptions_t options = ULYSSES_ATTENTION_OPTIONS_INITIALIZER;
  const ulyssesGeometry_t* geometryPointer = &geometry;
  const ulyssesAttentionTensors_t* tensorsPointer = &tensors;
  ulyssesAttentionStats_t stats{};
  bool backward = false;
  void* workspace = nullptr;
  std::size_t workspaceBytes = 0;
  std::vector<std::int64_t> array;
  std::vector<float> floats;

 private:
  std::vector<std::vector<float>> memory_;
};

std::string attentionError() { return ulyssesAttentionGetLastError(); }

void expectUsable(int rank, ulyssesComm_t comm) {
  Call good;
  EXPECT_EQ(good.run(comm), ulyssesSuccess) << "rank " << rank << " afterwards: " << attentionError();
  EXPECT_EQ(good.output()[0], 0.25F);
}

struct BadCall {
  const char* name;
  void (*spoil)(Call&);
  std::vector<std::string> parts;  // of the text
};

const BadCall kBadCalls[] = {
    {"NoGeometry", [](Call& c) { c.geometryPointer = nullptr; }, {"geometry is NULL"}},
    {"NoTensors", [](Call& c) { c.tensorsPointer = nullptr; }, {"tensors is NULL"}},
    {"Heads", [](Call& c) { c.geometry.heads = 6, c.geometry.kvHeads = 4; }, {"heads=6", "kvHeads=4"}},
    {"Tokens", [](Call& c) { c.geometry.sequence = 13; }, {"sequence=13"}},
    {"CuSeqlensDescend",
     [](Call& c) {
       c.array = {0, 8, 4, 12};
       c.geometry.cuSeqlens = c.array.data();
       c.geometry.nSequences = 3;
     },
     {"cuSeqlens[2]=4", "8"}},
    {"CuSeqlensEnd",
     [](Call& c) {
       c.array = {0, 8, 11};
       c.geometry.cuSeqlens = c.array.data();
       c.geometry.nSequences = 2;
     },
     {"cuSeqlens[2]=11", "12"}},
    {"Magic", [](Call& c) { c.options.magic = 7; }, {"options.magic=0x7", "ULYSSES_ATTENTION_OPTIONS_INITIALIZER"}},
    {"Size", [](Call& c) { c.options.size = 8; }, {"options.size=8"}},
    {"Version", [](Call& c) { c.tensors.version = 9; }, {"tensors.size", "version=9"}},
    {"Reserved", [](Call& c) { c.options.reserved[3] = 1; }, {"options.reserved"}},
    {"ReservedOfTensors", [](Call& c) { c.tensors.reserved[0] = 1; }, {"tensors.reserved"}},
    {"ReservedOfTensor", [](Call& c) { c.tensors.key.reserved0 = 1; }, {"tensors.key.reserved0"}},
    {"Causal", [](Call& c) { c.options.causal = 2; }, {"options.causal=2"}},
    {"Threads", [](Call& c) { c.options.threads = -1; }, {"options.threads=-1"}},
    {"WindowLeft", [](Call& c) { c.options.windowLeft = -2; }, {"options.windowLeft=-2"}},
    {"WindowRight", [](Call& c) { c.options.windowRight = -7; }, {"options.windowRight=-7"}},
    {"Scale", [](Call& c) { c.options.scale = std::numeric_limits<double>::infinity(); }, {"options.scale=inf"}},
    {"Sinks",
     [](Call& c) {
       c.floats = {0, 1, std::nanf(""), 0};
       c.options.sinks = c.floats.data();
     },
     {"options.sinks[2]=nan"}},
    {"Slopes",
     [](Call& c) {
       c.floats = {0, -std::numeric_limits<float>::infinity(), 0, 0};
       c.options.slopes = c.floats.data();
     },
     {"options.slopes[1]=-inf"}},
    {"NegativeGroups", [](Call& c) { c.options.headGroups = -1; }, {"options.headGroups=-1"}},
    {"Groups", [](Call& c) { c.options.headGroups = 3; }, {"options.headGroups=3", "2 KV heads"}},
    {"GroupsOfShared",
     [](Call& c) { c.geometry.kvHeads = 1, c.options.headGroups = 2; },
     {"options.headGroups=2", "use 1"}},
    {"WorkspaceFunctionAlone",
     [](Call& c) { c.options.localWorkspace = ulyssesAttentionOracleWorkspace; },
     {"options.localWorkspace", "local is NULL"}},
    {"HeadDim", [](Call& c) { c.tensors.headDim = 0; }, {"tensors.headDim=0"}},
    {"VHeadDim", [](Call& c) { c.tensors.vHeadDim = -3; }, {"tensors.vHeadDim=-3"}},
    {"Dtype", [](Call& c) { c.tensors.dtype = ulyssesInt8; }, {"tensors.dtype=6"}},
    {"Float64", [](Call& c) { c.tensors.dtype = ulyssesFloat64; }, {"tensors.dtype=0", "ulyssesAttentionOracle"}},
    {"NoQuery", [](Call& c) { c.tensors.query.data = nullptr; }, {"tensors.query.data is NULL"}},
    {"NoLse",
     [](Call& c) {
       c.backward = true;
       c.tensors.lse.data = nullptr;
     },
     {"tensors.lse.data is NULL"}},
    {"NoGradient",
     [](Call& c) {
       c.backward = true;
       c.tensors.keyGradient.data = nullptr;
     },
     {"tensors.keyGradient.data is NULL"}},
    {"SmallWorkspace",
     [](Call& c) {
       c.workspace = reinterpret_cast<void*>(64);
       c.workspaceBytes = 64;
     },
     {"workspaceBytes=64", "ulyssesAttentionWorkspaceBytes"}},
    {"UnalignedWorkspace",
     [](Call& c) {
       c.workspace = reinterpret_cast<void*>(72);
       c.workspaceBytes = 1 << 20;
     },
     {"workspace=0x48", "64"}},
    {"BytesWithoutWorkspace", [](Call& c) { c.workspaceBytes = 64; }, {"workspace is NULL", "workspaceBytes=64"}},
    {"OutputIsInput", [](Call& c) { c.tensors.lse.data = c.tensors.output.data; }, {"overlaps"}},
};

class BadInput : public ::testing::TestWithParam<BadCall> {};

TEST_P(BadInput, IsNamedHereAndAtPeers) {
  const LocalRanks ranks(kRanks, 20'000);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Call call;
    if (rank == 1) GetParam().spoil(call);
    const std::int64_t start = nowNs();
    // Which kind of call the other one makes does not matter: the refusal comes first.
    EXPECT_EQ(call.run(comm), rank == 1 ? ulyssesInvalidArgument : ulyssesRemoteInvalid) << attentionError();
    EXPECT_LT(msSince(start), 5000);
    EXPECT_EQ(missingFrom(attentionError(), GetParam().parts), "");
    if (rank == 0) {
      EXPECT_EQ(missingFrom(attentionError(), {"rank 1", "InvalidArgument"}), "");
    }
    expectUsable(rank, comm);
  });
}

INSTANTIATE_TEST_SUITE_P(Attention, BadInput, ::testing::ValuesIn(kBadCalls),
                         [](const auto& of) { return std::string(of.param.name); });

struct Difference {
  const char* name;
  void (*spoil)(Call&);
  const char* part;  // of what the differing rank says of its own call
};

const Difference kDifferences[] = {
    {"Causal", [](Call& c) { c.options.causal = 1; }, "causal=1"},
    {"Scale", [](Call& c) { c.options.scale = 0.5; }, "scale=0.5"},
    {"WindowLeft", [](Call& c) { c.options.windowLeft = 3; }, "windowLeft=3"},
    {"WindowRight", [](Call& c) { c.options.windowRight = 4; }, "windowRight=4"},
    {"Sinks",
     [](Call& c) {
       c.floats = {0, 0, 0, 0};
       c.options.sinks = c.floats.data();
     },
     "sinks=#"},
    {"Slopes",
     [](Call& c) {
       c.floats = {0, 0, 0, 1};
       c.options.slopes = c.floats.data();
     },
     "slopes=#"},
    {"HeadGroups", [](Call& c) { c.options.headGroups = 2; }, "headGroups=2"},
    {"CallersTag", [](Call& c) { c.geometry.tag = 9; }, "tag"},
};

class OptionsDiffer : public ::testing::TestWithParam<Difference> {};

TEST_P(OptionsDiffer, EveryRankIsTold) {
  const LocalRanks ranks(kRanks, 20'000);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Call call;
    if (rank == 1) GetParam().spoil(call);
    EXPECT_EQ(call.run(comm), ulyssesMismatch);
    EXPECT_EQ(
        missingFrom(attentionError(), {"rank 0 passed", "rank 1 passed", "this rank's attention options: forward"}),
        "");
    // Another number of groups shows in the exchange itself.
    if (std::string(GetParam().name) != "HeadGroups") {
      EXPECT_EQ(missingFrom(attentionError(), {": tag: rank", "they differ"}), "");
    }
    if (rank == 1) {
      EXPECT_EQ(missingFrom(attentionError(), {GetParam().part}), "");
    }
    expectUsable(rank, comm);
  });
}

INSTANTIATE_TEST_SUITE_P(Attention, OptionsDiffer, ::testing::ValuesIn(kDifferences),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(Attention, ForwardAndBackwardDiffer) {
  const LocalRanks ranks(kRanks, 20'000);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Call call;
    call.backward = rank == 1;
    EXPECT_EQ(call.run(comm), ulyssesMismatch);
    EXPECT_EQ(missingFrom(attentionError(), {rank == 1 ? "options: backward" : "options: forward"}), "");
    expectUsable(rank, comm);
  });
}

TEST(Attention, CallsOnNoCommunicator) {
  Call call;
  EXPECT_EQ(call.run(nullptr), ulyssesInvalidArgument);
  EXPECT_NE(attentionError(), "");
}

TEST(Attention, SizesThatDoNotFit) {
  Call call;
  call.geometry.sequence = std::int64_t{1} << 40;
  call.geometry.heads = std::int64_t{1} << 20;
  call.tensors.headDim = std::int64_t{1} << 20;
  std::size_t bytes = 0;
  EXPECT_EQ(ulyssesAttentionWorkspaceBytes(&call.geometry, &call.tensors, nullptr, 0, 2, 0, &bytes),
            ulyssesInvalidArgument);
  EXPECT_EQ(missingFrom(attentionError(), {"64 bits"}), "");
  EXPECT_EQ(ulyssesAttentionWorkspaceBytes(&call.geometry, &call.tensors, nullptr, 0, 2, 0, nullptr),
            ulyssesInvalidArgument);
}

// ---------------------------------------------------------------------------------------------- callbacks

struct Seen {
  int calls = 0;
  std::int64_t heads = 0, workspaceBytes = 0;
  int failAt = -1;  // the call that fails
  ulyssesResult_t result = ulyssesSystemError;
};

size_t hundredBytes(const ulyssesLocalAttention_t* problem, void*) { return problem->query.data == nullptr ? 100 : 0; }

/// O is V, plus one.
ulyssesResult_t copyValues(const ulyssesLocalAttention_t* p, void* context) {
  auto* const seen = static_cast<Seen*>(context);
  if (seen->calls++ == seen->failAt) return seen->result;
  seen->heads += p->heads;
  seen->workspaceBytes = static_cast<std::int64_t>(p->workspaceBytes);
  std::memset(p->workspace, 1, p->workspaceBytes);
  for (std::int64_t s = 0; s < p->sequence; ++s)
    for (std::int64_t h = 0; h < p->heads; ++h) {
      const auto at = [&](const ulyssesLocalTensor_t& t) {
        return static_cast<float*>(t.data) + s * t.sequence + h * t.head;
      };
      for (std::int64_t d = 0; d < p->vHeadDim; ++d) at(p->output)[d] = at(p->value)[d] + 1;
      *at(p->lse) = 0;
    }
  return ulyssesSuccess;
}

void useCallback(Call* call, Seen* seen) {
  call->options.local = copyValues;
  call->options.localWorkspace = hundredBytes;
  call->options.localContext = seen;
}

TEST(Callback, GetsTheGatheredHeads) {
  for (const int groups : {1, 2}) {
    const LocalRanks ranks(kRanks);
    ranks.run([&](int rank, ulyssesComm_t comm) {
      Call call;
      Seen seen;
      useCallback(&call, &seen);
      call.options.headGroups = groups;
      EXPECT_EQ(call.run(comm), ulyssesSuccess) << rank << attentionError();
      EXPECT_EQ(seen.calls, groups);
      EXPECT_EQ(seen.heads, kHeads / kRanks);
      EXPECT_EQ(seen.workspaceBytes, 100);
      for (std::int64_t i = 0; i < kTokens * kHeads * kDim; ++i) EXPECT_EQ(call.output()[i], 1.25F);
      EXPECT_GE(call.stats.totalUs, call.stats.localUs + call.stats.exposedUs);
      EXPECT_GT(call.stats.exposedUs, 0);
    });
  }
}

/// How many groups it will be is known with a communicator only, so the workspace is enough for whatever is chosen.
TEST(Workspace, IsEnoughForEveryChoiceOfGroups) {
  for (const bool backward : {false, true})
    for (const std::int64_t sequence : {4096, 4098}) {
      Call call;
      Seen seen;
      useCallback(&call, &seen);
      call.geometry.sequence = sequence;
      call.geometry.heads = 2 * kRanks;
      call.tensors.headDim = 65;
      std::size_t bytes[3] = {};
      for (const int groups : {0, 1, 2}) {
        call.options.headGroups = groups;
        ASSERT_EQ(ulyssesAttentionWorkspaceBytes(&call.geometry, &call.tensors, &call.options, backward ? 1 : 0, kRanks,
                                                 0, &bytes[groups]),
                  ulyssesSuccess)
            << attentionError();
      }
      EXPECT_EQ(bytes[0], std::max(bytes[1], bytes[2])) << sequence;
      if (sequence == 4098 && !backward) {
        EXPECT_GT(bytes[2], bytes[1]) << "the case in which it matters";
      }
    }
}

/// In each group; whichever fails, all ranks end together and go on.
TEST(Callback, FailureIsToldToPeers) {
  for (const int failAt : {0, 1})
    for (const ulyssesResult_t result : {ulyssesSystemError, static_cast<ulyssesResult_t>(14)}) {
      const LocalRanks ranks(kRanks, 20'000);
      ranks.run([&](int rank, ulyssesComm_t comm) {
        Call call;
        Seen seen;
        useCallback(&call, &seen);
        call.options.headGroups = 2;
        if (rank == 1) seen.failAt = failAt, seen.result = result;
        const ulyssesResult_t own = result == ulyssesSystemError ? result : ulyssesInternalError;
        const std::int64_t start = nowNs();
        EXPECT_EQ(call.run(comm), rank == 1 ? own : ulyssesRemoteInvalid);
        EXPECT_LT(msSince(start), 5000);
        EXPECT_EQ(missingFrom(attentionError(), {"local attention returned", std::to_string(result)}), "");
        expectUsable(rank, comm);
      });
    }
}

/// A rank without heads has nothing to attend, one without tokens attends all the same.
TEST(Callback, RanksWithoutHeadsOrTokens) {
  const LocalRanks ranks(kRanks);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Call call;
    Seen seen;
    useCallback(&call, &seen);
    const std::int64_t tokens[] = {0, kTokens}, heads[] = {kHeads, 0};
    call.geometry.sequence = kTokens;
    call.geometry.tokens = tokens;
    call.geometry.queryHeads = heads;
    EXPECT_EQ(call.run(comm), ulyssesSuccess) << attentionError();
    EXPECT_EQ(seen.heads, rank == 0 ? kHeads : 0);
    if (rank == 1) {
      EXPECT_EQ(call.output()[0], 1.25F);
    }
  });
}

TEST(Attention, WorksInsideAGroup) {
  const LocalRanks ranks(kRanks);
  ranks.run([&](int, ulyssesComm_t comm) {
    EXPECT_EQ(ulyssesGroupStart(), ulyssesSuccess);
    Call call;
    EXPECT_EQ(call.run(comm), ulyssesSuccess) << attentionError();
    EXPECT_EQ(call.output()[0], 0.25F);
    EXPECT_EQ(ulyssesGroupEnd(), ulyssesSuccess);
  });
}

TEST(Attention, Float64ByTheOracle) {
  const LocalRanks ranks(1);
  Call call;
  std::vector<double> memory[5];
  int next = 0;
  for (ulyssesAttentionTensor_t* tensor :
       {&call.tensors.query, &call.tensors.key, &call.tensors.value, &call.tensors.output}) {
    memory[next].assign(static_cast<std::size_t>(kTokens * kRanks * kHeads * kDim), 0.3);
    tensor->data = memory[next++].data();
  }
  std::vector<float> lse(static_cast<std::size_t>(kTokens * kRanks * kHeads));
  call.tensors.lse.data = lse.data();
  call.tensors.dtype = ulyssesFloat64;
  call.options.local = ulyssesAttentionOracle;
  call.options.localWorkspace = ulyssesAttentionOracleWorkspace;
  EXPECT_EQ(call.run(ranks.comm(0)), ulyssesSuccess) << attentionError();
  EXPECT_NEAR(memory[3][0], 0.3, 1e-15);
}

}  // namespace

}  // namespace ulysses::test
