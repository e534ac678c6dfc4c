// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What is equal to the bit: O and LSE for every number of ranks, with and without head groups, and from call to call.
#include <gtest/gtest.h>

#include "attention/attention_case.h"

namespace ulysses::test {

namespace {

AttentionCase caseOf(ulyssesDataType_t type, std::int64_t kvHeads) {
  AttentionCase test;
  test.geometry.sequence = 240;
  test.geometry.heads = 24;
  test.geometry.kvHeads = kvHeads;
  test.dtype = type;
  test.headDim = 32;
  test.vHeadDim = 24;
  test.causal = true;
  test.slopes = true;
  test.seed = 5;
  return test;
}

std::vector<std::int64_t> evenTokens(std::int64_t tokens, int nRanks) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(nRanks), tokens / nRanks);
  counts[0] += tokens % nRanks;
  return counts;
}

void expectSameBits(AttentionCase test) {
  const AttentionInputs in = inputsOf(test);
  const AttentionRun one = runCase(test, in);
  ASSERT_EQ(one.problem, "");
  for (int nRanks = 2; nRanks <= 8; ++nRanks) {
    SCOPED_TRACE(nRanks);
    test.nRanks = nRanks;
    test.geometry.tokens = evenTokens(test.geometry.sequence, nRanks);
    const AttentionRun many = runCase(test, in);
    ASSERT_EQ(many.problem, "");
    EXPECT_EQ(many.output.values, one.output.values);
    EXPECT_EQ(many.lse.values, one.lse.values);
    EXPECT_EQ(many.queryGradient.values, one.queryGradient.values);
    if (nRanks > test.kvHeads()) continue;  // ranks that share a KV head round their parts
    EXPECT_EQ(many.keyGradient.values, one.keyGradient.values);
    EXPECT_EQ(many.valueGradient.values, one.valueGradient.values);
  }
}

TEST(Exact, OutputIsTheSameForEveryNumberOfRanks) {
  for (const ulyssesDataType_t type : {ulyssesFloat32, ulyssesFloat16, ulyssesBfloat16})
    for (const std::int64_t kvHeads : {24, 8, 2}) {
      SCOPED_TRACE(kvHeads);
      expectSameBits(caseOf(type, kvHeads));
    }
}

TEST(Exact, HeadGroupsChangeNothing) {
  AttentionCase test = caseOf(ulyssesBfloat16, 12);
  test.nRanks = 2;
  const AttentionInputs in = inputsOf(test);
  test.headGroups = 1;
  const AttentionRun whole = runCase(test, in);
  for (const int groups : {2, 3, 6}) {
    test.headGroups = groups;
    const AttentionRun grouped = runCase(test, in);
    ASSERT_EQ(grouped.problem, "");
    EXPECT_EQ(grouped.output.values, whole.output.values);
    EXPECT_EQ(grouped.queryGradient.values, whole.queryGradient.values);
    EXPECT_EQ(grouped.keyGradient.values, whole.keyGradient.values);
    EXPECT_EQ(grouped.valueGradient.values, whole.valueGradient.values);
    EXPECT_EQ(grouped.stats[0].headGroups, groups);
    if (groups > 2) {
      EXPECT_LT(grouped.stats[0].workspaceBytes, whole.stats[0].workspaceBytes);
    }
  }
}

TEST(Exact, TheSameCallTwice) {
  AttentionCase test = caseOf(ulyssesFloat32, 2);
  test.nRanks = 5;
  test.geometry.tokens = evenTokens(test.geometry.sequence, 5);
  const AttentionInputs in = inputsOf(test);
  const AttentionRun first = runCase(test, in), second = runCase(test, in);
  EXPECT_EQ(first.keyGradient.values, second.keyGradient.values);
  EXPECT_EQ(first.valueGradient.values, second.valueGradient.values);
}

}  // namespace

}  // namespace ulysses::test
