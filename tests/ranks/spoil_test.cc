// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The comparisons of the other tests, shown red: each kind of damage to a rank's buffers is found and named.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/issue.h"
#include "support/oracle.h"
#include "support/random_case.h"
#include "support/rank_case.h"

namespace ulysses::test {

namespace {

/// One rank of a case whose output was made by the oracle, in place of the library.
class Spoil : public ::testing::Test {
 protected:
  Spoil() : prepared_(drawWithGaps()), rankCase_(prepared_.run, prepared_.inputs, 0, &memory_) {}

  static Case drawWithGaps() {
    for (std::int64_t index = 0;; ++index) {
      Case run = drawCase(Profile::Any, 3, index, 3);
      if (dimsOf(run, run.tensors[0], 0, End::Output).empty() || run.tensors[0].headDim < 4) continue;
      for (TensorCase& tensor : run.tensors) {
        for (Side& side : tensor.inputs) side.registered = false;
        for (Side& side : tensor.outputs) side.registered = false;
      }
      return run;
    }
  }

  void exchangeByOracle() {
    for (std::size_t tensor = 0; tensor < prepared_.run.tensors.size(); ++tensor) {
      Image output = rankCase_.readBack(tensor, End::Output);
      applyOracle(prepared_.run, prepared_.run.tensors[tensor], 0, prepared_.inputs[tensor], &output);
      std::copy(output.bytes.begin(), output.bytes.end(), rankCase_.raw(tensor, End::Output));
    }
  }

  std::size_t base(End end) const { return rankCase_.readBack(0, end).base; }

  RankMemory memory_;
  Prepared prepared_;
  RankCase rankCase_;
};

TEST_F(Spoil, NothingWasExchanged) {
  EXPECT_NE(rankCase_.difference().find("output is wrong"), std::string::npos);
  EXPECT_NE(rankCase_.difference().find("element (token"), std::string::npos);
}

TEST_F(Spoil, AllIsRight) {
  exchangeByOracle();
  EXPECT_EQ(rankCase_.difference(), "");
}

TEST_F(Spoil, OneBitOfAnElement) {
  exchangeByOracle();
  rankCase_.raw(0, End::Output)[base(End::Output)] ^= 1;
  EXPECT_NE(rankCase_.difference().find("element (token 0, batch 0, head 0, 0)"), std::string::npos);
}

TEST_F(Spoil, GuardsOfTheOutput) {
  exchangeByOracle();
  const Image output = rankCase_.readBack(0, End::Output);
  for (const std::size_t at : {std::size_t{0}, output.bytes.size() - 1}) {
    rankCase_.raw(0, End::Output)[at] ^= 1;
    EXPECT_NE(rankCase_.difference().find("a guard or a gap"), std::string::npos);
    rankCase_.raw(0, End::Output)[at] ^= 1;
  }
  EXPECT_EQ(rankCase_.difference(), "");
}

TEST_F(Spoil, TheInput) {
  exchangeByOracle();
  rankCase_.raw(0, End::Input)[base(End::Input)] ^= 0x80;
  EXPECT_NE(rankCase_.difference().find("the input was changed"), std::string::npos);
}

/// An output that is right but for the order of a sum must be told from a right one.
TEST(SpoilSum, OrderOfReplicas) {
  int told = 0;
  for (std::int64_t index = 0; index < 60; ++index) {
    const Case run = drawCase(Profile::Sums, 4, index, 6);
    const Images inputs = inputImages(run);
    for (std::size_t tensor = 0; tensor < run.tensors.size(); ++tensor) {
      if (!run.tensors[tensor].sum) continue;
      Case backward = run;  // the ranks' parts and images the other way round: the same sums, in descending order
      std::reverse(backward.partition.ranks.begin(), backward.partition.ranks.end());
      std::reverse(backward.tensors[tensor].inputs.begin(), backward.tensors[tensor].inputs.end());
      std::reverse(backward.tensors[tensor].outputs.begin(), backward.tensors[tensor].outputs.end());
      std::vector<Image> reversed(inputs[tensor].rbegin(), inputs[tensor].rend());
      Image right = outputImage(run, tensor, 0);
      Image wrong = right;
      applyOracle(run, run.tensors[tensor], 0, inputs[tensor], &right);
      applyOracle(backward, backward.tensors[tensor], run.nRanks - 1, reversed, &wrong);
      told += right.bytes != wrong.bytes;
    }
  }
  EXPECT_GT(told, 10);
}

}  // namespace

}  // namespace ulysses::test
