// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Sums on receive: bit-equal to the oracle (float32 or float64 accumulation in ascending rank order, rounded once), on
// both paths, from registered and private memory, and the same on every run.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "support/element.h"
#include "support/emulated_hosts.h"
#include "support/group_exchange.h"
#include "support/local_comms.h"
#include "support/ranks_main.h"

namespace ulysses::test {

namespace {

RunOptions sums(Mode mode) {
  RunOptions options = optionsOf(Profile::Sums, mode, 600);
  options.minRanks = std::max(2, options.minRanks);
  return options;
}

/// Twice the same cases: what a first run left in windows, slots and caches must not show in the second.
void runTwice(Mode mode) {
  if (mode == Mode::Processes) expectHostsCovered(sums(mode));
  expectRight(sums(mode), mode);
  expectRight(sums(mode), mode);
}

TEST(Sum, Threads) { runTwice(Mode::Threads); }
TEST(Sum, Processes) { runTwice(Mode::Processes); }
TEST(Sum, Group) { runTwice(Mode::Group); }

TEST(SumCases, SpreadAndSpanAreDrawn) {
  const RunOptions options = sums(Mode::Threads);
  std::vector<int> bySpread(17);
  int spans = 0;  // a rank holds two KV heads and shares both
  for (std::int64_t index = 0; index < 600; ++index) {
    const Case run = caseOf(options, index);
    ASSERT_TRUE(run.partition.kvShared);
    for (const RankPart& part : run.partition.ranks) {
      ++bySpread.at(static_cast<std::size_t>(part.kvReplicas));
      spans += part.kvCount == 2 && part.queryCount < 2 * run.geometry.heads / kvHeadsOf(run.geometry);
    }
  }
  for (std::size_t spread = 2; spread <= 8; ++spread) EXPECT_GT(bySpread[spread], 20) << spread;
  EXPECT_GT(spans, 20);
}

/// One KV head held by three ranks; each rank's input is one number of each triple in turn.
GroupExchange sumOfTriples(ulyssesDataType_t type, const std::vector<std::array<double, 3>>& triples,
                           const LocalComms& comms, const CommKey& key) {
  Case run;
  run.op = ulyssesOpGatherHeads;
  run.nRanks = 3;
  run.geometry.heads = 3;
  run.geometry.kvHeads = 1;
  run.geometry.sequence = 3;
  run.partition = *partitionOf(run.geometry, run.nRanks);
  TensorCase tensor;
  tensor.headDim = static_cast<std::int64_t>(triples.size());
  tensor.type = type;
  tensor.kind = ulyssesTensorKv;
  tensor.sum = true;
  const Dims whole = {3, 1, 1, 1, tensor.headDim};
  const Dims part = {1, 1, 1, 1, tensor.headDim};
  tensor.inputs.assign(3, {ulyssesLayoutSBHD, stridesOf(ulyssesLayoutSBHD, whole), 0, true});
  tensor.outputs.assign(3, {ulyssesLayoutSBHD, stridesOf(ulyssesLayoutSBHD, part), 0, true});
  run.tensors.push_back(tensor);
  Images inputs = inputImages(run);
  for (std::size_t rank = 0; rank < 3; ++rank) {
    for (std::size_t at = 0; at < 3 * triples.size(); ++at) {
      encode(type, triples[at % triples.size()][rank],
             inputs[0][rank].at(static_cast<std::int64_t>(at * bytesOf(type))));
    }
  }
  return GroupExchange(run, inputs, comms.byRank(), key);
}

/// Not compared by bits: which NaN comes out is the machine's choice.
TEST(SumSpecial, InfinityNanAndZero) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::array<double, 3>> triples = {
      {kInfinity, 1, 2},          {1, 2, -kInfinity}, {kInfinity, 1, kInfinity},
      {kInfinity, -kInfinity, 1}, {kNan, 1, 2},       {1, 2, kNan},
      {-0.0, -0.0, -0.0},         {-0.0, 0.0, -0.0},  {1, -1, -0.0},
  };
  RunOptions options = sums(Mode::Group);
  options.count = 1;
  options.minRanks = options.maxRanks = 3;
  const LocalComms comms(options);
  for (const ulyssesDataType_t type : {ulyssesFloat64, ulyssesFloat32, ulyssesFloat16, ulyssesBfloat16}) {
    const GroupExchange sum = sumOfTriples(type, triples, comms, commOf(options, options.first));
    ASSERT_EQ(sum.failure(), "");
    for (std::size_t at = 0; at < 3 * triples.size(); ++at) {
      const auto element = static_cast<std::int64_t>(at % triples.size());
      const auto& [a, b, c] = triples[at % triples.size()];
      const double value = Elements(sum, 0, at / triples.size(), End::Output).at(0, 0, 0, element);
      EXPECT_EQ(std::isnan(value), std::isnan(a + b + c)) << nameOf(type) << " " << a << " " << b << " " << c;
      if (std::isnan(value)) continue;
      EXPECT_EQ(value, a + b + c) << nameOf(type) << " " << a << " " << b << " " << c;
      EXPECT_EQ(std::signbit(value), std::signbit(a + b + c)) << nameOf(type) << " " << a << " " << b << " " << c;
    }
  }
}

/// The terms of one sum, as the cases have them.
class Terms {
 public:
  Terms(ulyssesDataType_t type, std::size_t count, Rng* rng) : type_(type), bytes_(count * bytesOf(type)) {
    for (std::size_t term = 0; term < count; ++term) {
      fillElement(Fill::Finite, type, rng, &bytes_[term * bytesOf(type)]);
      pointers_.push_back(&bytes_[term * bytesOf(type)]);
    }
  }

  double right() const { return sum(pointers_); }
  double backward() const { return sum({pointers_.rbegin(), pointers_.rend()}); }
  double roundedEachTime() const {
    std::uint8_t total[8];
    std::memcpy(total, pointers_[0], bytesOf(type_));
    for (std::size_t term = 1; term < pointers_.size(); ++term) sumElements(type_, {total, pointers_[term]}, total);
    return decode(type_, total);
  }
  double inDouble() const {
    double total = 0;
    for (const std::uint8_t* term : pointers_) total += decode(type_, term);
    std::uint8_t rounded[8];
    encode(type_, total, rounded);
    return decode(type_, rounded);
  }

 private:
  double sum(const std::vector<const std::uint8_t*>& terms) const {
    std::uint8_t total[8];
    sumElements(type_, terms, total);
    return decode(type_, total);
  }

  ulyssesDataType_t type_;
  std::vector<std::uint8_t> bytes_;
  std::vector<const std::uint8_t*> pointers_;
};

TEST(SumData, WrongRulesShow) {
  Rng rng(7);
  for (const ulyssesDataType_t type : {ulyssesFloat64, ulyssesFloat32, ulyssesFloat16, ulyssesBfloat16}) {
    int backward = 0;
    int roundedEachTime = 0;
    int inDouble = 0;
    for (int draw = 0; draw < 2000; ++draw) {
      const Terms terms(type, 4, &rng);
      backward += terms.backward() != terms.right();
      roundedEachTime += terms.roundedEachTime() != terms.right();
      inDouble += terms.inDouble() != terms.right();
    }
    EXPECT_GT(backward, 40) << nameOf(type);
    EXPECT_GT(roundedEachTime, bytesOf(type) == 2 ? 40 : -1) << nameOf(type);  // f32 and f64 round every time anyway
    EXPECT_GT(inDouble, type == ulyssesFloat64 ? -1 : 40) << nameOf(type);
  }
}

}  // namespace

}  // namespace ulysses::test

int main(int argc, char** argv) { return ulysses::test::ranksMain(argc, argv); }
