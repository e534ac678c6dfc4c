// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows A1, A5-A10 of the fault matrix, the refused ones: one rank passes what cannot be. It gets InvalidArgument that
// names it, its peers get its reason at once, nobody's output is touched, and the communicator goes on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>

#include "fault/local_ranks.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3, kWrong = 1;

struct BadInput {
  const char* name;
  void (*spoil)(Trial&);
  std::vector<std::string> parts;  // of the message
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

template <typename Enum>
Enum outside(int value) {
  return static_cast<Enum>(value);
}

const std::vector<BadInput> kPointers = {
    {"InputNull", [](Trial& t) { t.tensors[0].input = nullptr; }, {"tensors[0].input is NULL", "18432 bytes"}},
    {"OutputNull", [](Trial& t) { t.tensors[0].output = nullptr; }, {"tensors[0].output is NULL", "bytes"}},
    {"TensorsNull", [](Trial& t) { t.tensorsPointer = nullptr; }, {"tensors is NULL"}},
    {"GeometryNull", [](Trial& t) { t.geometryPointer = nullptr; }, {"geometry is NULL"}},
    {"SameMemory",
     [](Trial& t) { t.tensors[0].output = const_cast<void*>(t.tensors[0].input); },
     {"tensors[0].output [0x", "overlaps tensors[0].input [0x"}},
    {"PartialOverlap",
     [](Trial& t) { t.tensors[0].output = static_cast<char*>(const_cast<void*>(t.tensors[0].input)) + 18432 - 4; },
     {"tensors[0].output [0x", "overlaps tensors[0].input [0x", "memory of its own"}},
    {"OutputsOverlap",
     [](Trial& t) {
       t.nTensors = 2;
       t.tensors[1].output = static_cast<char*>(t.tensors[0].output) + 64;
     },
     {"tensors[1].output [0x", "overlaps tensors[0].output [0x"}},
    {"Stream", [](Trial& t) { t.stream = &t; }, {"stream", "NULL"}},
};

const std::vector<BadInput> kEnums = {
    {"NoTensors", [](Trial& t) { t.nTensors = 0; }, {"nTensors=0", "1..8"}},
    {"NineTensors", [](Trial& t) { t.nTensors = 9; }, {"nTensors=9", "1..8"}},
    {"MinusOneTensors", [](Trial& t) { t.nTensors = -1; }, {"nTensors=-1", "1..8"}},
    {"TypeAbove",
     [](Trial& t) { t.tensors[0].dtype = outside<ulyssesDataType_t>(10); },
     {"tensors[0].dtype=10", "bf16"}},
    {"TypeBelow", [](Trial& t) { t.tensors[0].dtype = outside<ulyssesDataType_t>(-1); }, {"tensors[0].dtype=-1"}},
    {"Kind", [](Trial& t) { t.tensors[0].kind = outside<ulyssesTensorKind_t>(2); }, {"tensors[0].kind=2", "Kv"}},
    {"InputLayout",
     [](Trial& t) { t.tensors[0].inputLayout = outside<ulyssesLayout_t>(4); },
     {"tensors[0].inputLayout=4", "BHSD"}},
    {"OutputLayout",
     [](Trial& t) { t.tensors[0].outputLayout = outside<ulyssesLayout_t>(-7); },
     {"tensors[0].outputLayout=-7", "BHSD"}},
    {"Order", [](Trial& t) { t.geometry.order = outside<ulyssesSequenceOrder_t>(2); }, {"geometry.order=2", "Zigzag"}},
    {"Flags", [](Trial& t) { t.tensors[0].flags = 6; }, {"tensors[0].flags=0x6", "ULYSSES_TENSOR_SUM"}},
    {"SumOfQuery",
     [](Trial& t) { t.tensors[0].flags = ULYSSES_TENSOR_SUM; },
     {"tensors[0].flags", "GatherHeads", "query"}},
    {"ReservedOfTensor", [](Trial& t) { t.tensors[0].reserved[1] = 1; }, {"tensors[0].reserved"}},
    {"ReservedOfGeometry", [](Trial& t) { t.geometry.reserved[2] = 1; }, {"geometry.reserved"}},
    {"Magic", [](Trial& t) { t.geometry.magic = 0; }, {"geometry.magic=0x0", "ULYSSES_GEOMETRY_INITIALIZER"}},
    {"Size", [](Trial& t) { t.geometry.size -= 8; }, {"geometry.size=", "header"}},
    {"Version", [](Trial& t) { t.geometry.version = 2; }, {"version=2", "version 1"}},
};

const std::vector<BadInput> kNumbers = {
    {"NegativeSequence", [](Trial& t) { t.geometry.sequence = -3; }, {"sequence=-3", "want 0.."}},
    {"IndivisibleSequence",
     [](Trial& t) { t.geometry.sequence = 73; },
     {"sequence=73 is not a multiple of 3 ranks", "tokens of every rank", "pad to 75"}},
    {"NegativeBatch", [](Trial& t) { t.geometry.batch = -1; }, {"batch=-1"}},
    {"NoHeads", [](Trial& t) { t.geometry.heads = 0; }, {"heads=0"}},
    {"FewerHeadsThanRanks",
     [](Trial& t) { t.geometry.heads = 2; },
     {"heads=2", "3 ranks", "use at most 2 ranks", "queryHeads"}},
    {"KvHeadsDoNotDivide", [](Trial& t) { t.geometry.kvHeads = 4; }, {"kvHeads=4", "heads=6"}},
    {"NoHeadDim", [](Trial& t) { t.tensors[0].headDim = 0; }, {"tensors[0].headDim=0", "want 1.."}},
    {"NegativeHeadDim", [](Trial& t) { t.tensors[0].headDim = -16; }, {"tensors[0].headDim=-16"}},
    {"HugeHeadDim",
     [](Trial& t) { t.tensors[0].headDim = std::numeric_limits<std::int64_t>::max(); },
     {"tensors[0].headDim=9223372036854775807"}},
    {"BytesOverflow",
     [](Trial& t) {
       t.geometry.sequence = 3 * (std::int64_t{1} << 40);
       t.geometry.batch = std::int64_t{1} << 40;
     },
     {"tensors[0]", "does not fit 64 bits", "batch 1099511627776"}},
    {"SequenceBeyondAnyMachine",
     [](Trial& t) { t.geometry.sequence = std::numeric_limits<std::int64_t>::max(); },
     {"sequence=9223372036854775807"}},
    {"TokensDoNotAddUp",
     [](Trial& t) {
       t.tokens = {24, 24, 23};
       t.geometry.tokens = t.tokens.data();
     },
     {"tokens", "71", "sequence=72"}},
    {"NegativeTokens",
     [](Trial& t) {
       t.tokens = {24, -1, 49};
       t.geometry.tokens = t.tokens.data();
     },
     {"tokens[1]=-1"}},
    {"HeadsDoNotAddUp",
     [](Trial& t) {
       t.queryHeads = {2, 2, 1};
       t.geometry.queryHeads = t.queryHeads.data();
     },
     {"queryHeads", "5", "heads=6"}},
    {"SequencesWithoutEnds", [](Trial& t) { t.geometry.nSequences = 2; }, {"cuSeqlens is NULL", "nSequences=2"}},
    {"EndsNotAscending",
     [](Trial& t) {
       t.cuSeqlens = {0, 48, 40, 72};
       t.geometry.cuSeqlens = t.cuSeqlens.data();
       t.geometry.nSequences = 3;
     },
     {"cuSeqlens[2]=40", "48"}},
};

void useStrides(Trial& t, bool output, ulyssesStrides_t strides) {
  (output ? t.tensors[0].outputLayout : t.tensors[0].inputLayout) = ulyssesLayoutStrided;
  (output ? t.tensors[0].outputStrides : t.tensors[0].inputStrides) = strides;
}

const std::vector<BadInput> kStrides = {
    {"OutputWithoutStride",
     [](Trial& t) {
       useStrides(t, true, {0, 32, 16, 16});
     },
     {"tensors[0].outputStrides (0, 32, 16, 16)", "share addresses"}},
    {"OutputRowsOverlap",
     [](Trial& t) {
       useStrides(t, true, {64, 32, 15, 15});
     },
     {"tensors[0].outputStrides (64, 32, 15, 15)"}},
    {"StrideBeyondLimit",
     [](Trial& t) {
       useStrides(t, false, {std::int64_t{1} << 57, 0, 0, 0});
     },
     {"tensors[0].inputStrides", "144115188075855872", "2^56"}},
    {"StrideTimesLengthOverflows",
     [](Trial& t) {
       useStrides(t, false, {std::int64_t{1} << 56, std::int64_t{1} << 56, 0, 0});
     },
     {"input"}},
    {"NegativeStrideIntoOutput",
     [](Trial& t) {
       // The input runs backwards from where the output begins, and its last row reaches into it.
       useStrides(t, false, {-192, 96, 16, 16});
       t.tensors[0].input = t.tensors[0].output;
     },
     {"overlaps tensors[0].input"}},
};

class LocalInput : public testing::TestWithParam<BadInput> {};

TEST_P(LocalInput, IsRefusedEverywhereAtOnce) {
  const BadInput& input = GetParam();
  const LocalRanks ranks(kRanks);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    SCOPED_TRACE("rank " + std::to_string(rank));
    Trial trial(rank, kRanks);
    if (rank == kWrong) input.spoil(trial);
    const std::int64_t start = nowNs();
    const ulyssesResult_t result = trial.call(comm);
    EXPECT_LT(msSince(start), 1500) << "not at once";
    EXPECT_EQ(nameOf(result), nameOf(rank == kWrong ? ulyssesInvalidArgument : ulyssesRemoteInvalid));
    std::vector<std::string> parts = input.parts;
    parts.push_back(identityText(rank, kRanks));
    parts.push_back("scatter_heads op 1");
    if (rank != kWrong) parts.push_back("rank 1 made an invalid call (InvalidArgument)");
    EXPECT_EQ(missingFrom(lastError(), parts), "");
    EXPECT_EQ(missingFrom(lastError(comm), input.parts), "");
    EXPECT_TRUE(rank == kWrong || trial.isUntouched());
  });
  ranks.expectUsable();
}

std::string nameOfParam(const testing::TestParamInfo<BadInput>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Pointers, LocalInput, testing::ValuesIn(kPointers), nameOfParam);
INSTANTIATE_TEST_SUITE_P(Enums, LocalInput, testing::ValuesIn(kEnums), nameOfParam);
INSTANTIATE_TEST_SUITE_P(Numbers, LocalInput, testing::ValuesIn(kNumbers), nameOfParam);
INSTANTIATE_TEST_SUITE_P(Strides, LocalInput, testing::ValuesIn(kStrides), nameOfParam);

/// The same over shared memory, and with the invalid call among started ones: the others keep their order.
TEST(LocalInput, BetweenStartedCallsOfProcesses) {
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(5000);
    Trial first(rank.rank(), kRanks), second(rank.rank(), kRanks), third(rank.rank(), kRanks);
    ulyssesRequest_t requests[3] = {};
    rank.expectResult(first.start(comm, &requests[0]), ulyssesSuccess, "first start");
    const bool wrong = rank.rank() == kWrong;
    if (wrong) second.tensors[0].input = nullptr;
    rank.expectResult(second.start(comm, &requests[1]), wrong ? ulyssesInvalidArgument : ulyssesSuccess,
                      "second start");
    rank.expectResult(third.start(comm, &requests[2]), ulyssesSuccess, "third start");
    rank.expectResult(ulyssesWait(&requests[0]), ulyssesSuccess, "first");
    rank.expectResult(ulyssesWait(&requests[1]), wrong ? ulyssesSuccess : ulyssesRemoteInvalid, "second");
    if (!wrong) rank.expectText(lastError(), {"rank 1", "tensors[0].input is NULL", "op 2"}, "second");
    rank.expectResult(ulyssesWait(&requests[2]), ulyssesSuccess, "third");
    rank.expect(first.isRight() && third.isRight(), "wrong bytes");
    rank.expect(wrong || second.isUntouched(), "the output of the refused call was written");
    rank.expectNone(first.exchange(comm), "afterwards");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

/// Its peers need not wait for a rank that has not called yet: whatever that one says, the call has failed.
TEST(LocalInput, IsKnownBeforeALateRankCalls) {
  constexpr int kLate = 2;
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), kRanks);
    rank.meet();
    if (rank.rank() == kLate) usleep(1'500'000);
    if (rank.rank() == kWrong) trial.tensors[0].headDim = -1;
    const std::int64_t start = nowNs();
    const bool wrong = rank.rank() == kWrong;
    rank.expectResult(trial.call(comm), wrong ? ulyssesInvalidArgument : ulyssesRemoteInvalid, "rank 1 is wrong");
    rank.expect(msSince(start) < 1000, "waited for rank 2: " + std::to_string(msSince(start)) + " ms");
    rank.expectNone(trial.exchange(comm), "afterwards");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
