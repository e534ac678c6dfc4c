// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// NaN and infinity go where they go in the oracle, and nowhere else; what a mask hides is never read.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "attention/attention_case.h"

namespace ulysses::test {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttentionCase caseOf(ulyssesDataType_t type) {
  AttentionCase test;
  test.nRanks = 2;
  test.geometry.sequence = 210;
  test.geometry.heads = 4;
  test.geometry.kvHeads = 2;
  test.dtype = type;
  test.headDim = test.vHeadDim = 16;
  return test;
}

/// 0: finite, 1: infinite, 2: NaN
std::vector<int> kindsOf(const Whole& whole) {
  std::vector<int> kinds;
  for (const double value : whole.values) kinds.push_back(std::isnan(value) ? 2 : std::isinf(value) ? 1 : 0);
  return kinds;
}

void expectAsOracle(AttentionCase test, const AttentionInputs& in) {
  const AttentionRun fast = runCase(test, in);
  test.oracle = true;
  const AttentionRun oracle = runCase(test, in);
  ASSERT_EQ(fast.problem + oracle.problem, "");
  EXPECT_EQ(kindsOf(fast.output), kindsOf(oracle.output));
  EXPECT_EQ(kindsOf(fast.lse), kindsOf(oracle.lse));
  EXPECT_EQ(kindsOf(fast.queryGradient), kindsOf(oracle.queryGradient));
  EXPECT_EQ(kindsOf(fast.keyGradient), kindsOf(oracle.keyGradient));
  EXPECT_EQ(kindsOf(fast.valueGradient), kindsOf(oracle.valueGradient));
}

struct Place {
  const char* name;
  Whole AttentionInputs::*tensor;
};
constexpr Place kPlaces[] = {{"query", &AttentionInputs::query},
                             {"key", &AttentionInputs::key},
                             {"value", &AttentionInputs::value},
                             {"outputGradient", &AttentionInputs::outputGradient}};

void tryAll(double special, const std::function<void(AttentionCase&)>& mask) {
  for (const ulyssesDataType_t type : {ulyssesFloat32, ulyssesBfloat16, ulyssesFloat16})
    for (const Place& place : kPlaces)
      for (const std::int64_t token : {0, 100, 209}) {
        SCOPED_TRACE(std::string(place.name) + " of token " + std::to_string(token) + " type " + std::to_string(type));
        AttentionCase test = caseOf(type);
        mask(test);
        AttentionInputs in = inputsOf(test);
        (in.*place.tensor).row(token, 0, 1)[3] = special;
        expectAsOracle(test, in);
      }
}

TEST(Special, NanSeenByAll) {
  tryAll(std::nan(""), [](AttentionCase&) {});
}
TEST(Special, NanUnderACausalMask) {
  tryAll(std::nan(""), [](AttentionCase& test) { test.causal = true; });
}
TEST(Special, NanInAWindow) {
  tryAll(std::nan(""), [](AttentionCase& test) { test.left = 9, test.right = 2; });
}
TEST(Special, NanInAPackedSequence) {
  tryAll(std::nan(""), [](AttentionCase& test) {
    test.geometry.cuSeqlens = {0, 90, 101, 210};
    test.geometry.nSequences = 3;
  });
}
TEST(Special, InfinityUnderACausalMask) {
  tryAll(kInfinity, [](AttentionCase& test) { test.causal = true; });
}

/// All scores of a head are -inf: with sinks these take all the weight, and O is 0.
TEST(Special, SinksWithoutScores) {
  for (const bool oracle : {false, true}) {
    AttentionCase test = caseOf(ulyssesFloat32);
    test.oracle = oracle;
    test.causal = test.sinks = true;
    test.headDim = 1;
    AttentionInputs in = inputsOf(test);
    for (double& value : in.query.values) value = 1;
    for (std::int64_t s = 0; s < in.key.tokens; ++s) *in.key.row(s, 0, 0) = -kInfinity;
    const AttentionRun run = runCase(test, in);
    ASSERT_EQ(run.problem, "");
    for (std::int64_t s = 0; s < in.key.tokens; ++s)
      for (const std::int64_t h : {0, 1}) {  // of KV head 0
        EXPECT_FLOAT_EQ(static_cast<float>(*run.lse.row(s, 0, h)), in.sinks[static_cast<std::size_t>(h)]);
        EXPECT_EQ(run.output.row(s, 0, h)[5], 0);
        EXPECT_EQ(run.valueGradient.row(s, 0, 0)[2], 0);
      }
  }
}

}  // namespace

}  // namespace ulysses::test
