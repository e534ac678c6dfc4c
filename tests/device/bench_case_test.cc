// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// gpu_bench (tests/gpu) gives its cases to the library's plan and to ulysses_perf's permutation: both must be of the
// same tensors, which there only a difference of results would show. And what it works out of times.
#include "gpu/bench_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "gpu/bench_figures.h"

namespace ulysses::test {
namespace {

void expectSame(const Shape& shape, const Strides& strides, const perf::Shape& theirs, const perf::Case& test) {
  const perf::ByteStrides bytes = test.strides(theirs);
  EXPECT_EQ(shape.tokens, theirs.tokens);
  EXPECT_EQ(shape.batch, theirs.batch);
  EXPECT_EQ(shape.groups * shape.headsPerGroup, theirs.heads);
  EXPECT_EQ(strides.sequence * 2, bytes.token);
  EXPECT_EQ(strides.batch * 2, bytes.batch);
  EXPECT_EQ((shape.headsPerGroup > 1 ? strides.head : strides.group) * 2, bytes.head);
}

void expectSame(const BenchCase& run) {
  SCOPED_TRACE(run.name);
  const perf::Case test = perfCaseOf(run);
  for (int rank = 0; rank < run.nRanks; ++rank) {
    const auto plan = planOf(run, rank);
    EXPECT_EQ(plan->bytesReceived(), test.receivedBytes(rank));
    ASSERT_EQ(std::ssize(plan->tensors()), test.nTensors());
    for (int t = 0; t < test.nTensors(); ++t) {
      const TensorSpec& spec = plan->tensors()[static_cast<std::size_t>(t)];
      expectSame(shardShape(plan->geometry(), plan->distribution(), spec, plan->sourceSide(), rank), spec.input,
                 test.inputShape(t, rank), test);
      expectSame(shardShape(plan->geometry(), plan->distribution(), spec, plan->destinationSide(), rank), spec.output,
                 test.outputShape(t, rank), test);
    }
  }
}

TEST(BenchCase, IsTheSameForBoth) {
  for (const int ranks : {2, 4, 8}) {
    expectSame({"scatter", Operation::ScatterHeads, ranks, 8192});
    expectSame({"gather", Operation::GatherHeads, ranks, 8192});
    expectSame({"bshd", Operation::ScatterHeads, ranks, 64, 2, 32, 32, 128, BenchTensors::kOne, ulyssesLayoutBSHD});
    expectSame({"qkv", Operation::ScatterHeads, ranks, 64, 1, 64, 8, 128, BenchTensors::kQkv});
    expectSame({"sum", Operation::GatherHeads, ranks, 64, 1, 32, 2, 128, BenchTensors::kSum});
  }
}

// As the figures are said to be of.
TEST(BenchCase, OfCopyEnginesIsTakenByThemAtEveryRank) {
  for (const int ranks : {2, 4, 8})
    for (BenchCase run : {BenchCase{"scatter", Operation::ScatterHeads, ranks, 8192},
                          BenchCase{"qkv", Operation::ScatterHeads, ranks, 32768, 1, 64, 8, 128, BenchTensors::kQkv}}) {
      EXPECT_TRUE(copiesOf(run, *planOf(run, 0)).copies.empty());
      run.engine = Engine::CopyEngine;
      const std::ptrdiff_t tensors = run.tensors == BenchTensors::kQkv ? 3 : 1;
      for (int rank = 0; rank < ranks; ++rank)
        EXPECT_EQ(std::ssize(copiesOf(run, *planOf(run, rank)).copies), (ranks - 1) * tensors) << run.name;
    }
}

TEST(BenchCase, ThatCopyEnginesCannotTakeIsNamed) {
  BenchCase run{"sum", Operation::GatherHeads, 4, 64, 1, 32, 2, 128, BenchTensors::kSum};
  run.engine = Engine::CopyEngine;
  try {
    copiesOf(run, *planOf(run, 0));
    FAIL() << "no error";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "sum: tensors[0] is summed, which copy engines cannot");
  }
}

TEST(BenchCase, HasTheTargetsOfItsKind) {
  const Operation scatter = Operation::ScatterHeads;
  BenchCase plain{"plain", scatter, 8, 8192};  // rows of 1 KiB
  EXPECT_EQ(copyTargetOf(plain), 0.9);
  EXPECT_EQ(copyTargetOf({"narrow", scatter, 8, 8192, 1, 8, 8, 64}), 0.8);
  EXPECT_EQ(copyTargetOf({"qkv", scatter, 2, 8192, 1, 64, 8, 128, BenchTensors::kQkv}), 0.8);
  EXPECT_EQ(copyTargetOf({"sum", Operation::GatherHeads, 8, 8192, 1, 32, 2, 128, BenchTensors::kSum}), 0.8);
  EXPECT_EQ(permuteTargetOf(plain, 0), 0);
  EXPECT_EQ(permuteTargetOf(plain, 1), 1.6);
  EXPECT_EQ(permuteTargetOf(plain, 2), 2.2);
  plain.engine = Engine::CopyEngine;  // nothing is asked of them
  EXPECT_EQ(copyTargetOf(plain), 0);
  EXPECT_EQ(permuteTargetOf(plain, 1), 0);
}

TEST(BenchFigures, NameMedianLowestAndHighest) {
  const Spread odd = spreadOf({3, 1, 2});
  EXPECT_EQ(odd.middle, 2);
  EXPECT_EQ(odd.low, 1);
  EXPECT_EQ(odd.high, 3);
  EXPECT_EQ(spreadOf({4, 1, 3, 2}).middle, 3);
  EXPECT_EQ(spreadOf({7}).middle, 7);
  EXPECT_EQ(textOf(Spread{0.934, 0.9, 1}, 2), "0.93 (0.90 to 1.00)");
  EXPECT_EQ(textOf(Spread{99.6, -3.4, 100}, 0), "100 (-3 to 100)");
}

// A machine that is twice as slow in one round leaves a ratio as it is.
TEST(BenchFigures, CompareWithinARound) {
  const Times times = {{{1, 2, 1}, {3, 6, 3}}};
  const Spread ratio = spreadOfRounds(times, [&](std::size_t round) { return times[1][round] / times[0][round]; });
  EXPECT_EQ(ratio.low, 3);
  EXPECT_EQ(ratio.high, 3);
}

TEST(BenchFigures, SayWhetherATargetIsMet) {
  EXPECT_EQ(againstLeast(0.9, 0.9), "0.90 met");
  EXPECT_EQ(againstLeast(0.899, 0.9), "0.90 missed");
  EXPECT_EQ(againstMost(10, 10), "10.00 met");
  EXPECT_EQ(againstMost(10.01, 10), "10.00 missed");
  EXPECT_EQ(againstLeast(0.5, 0), "-");
  EXPECT_EQ(againstMost(0.5, 0), "-");
}

TEST(BenchFigures, LimitRoundsByTime) {
  EXPECT_EQ(roundsFor(0), 21);
  EXPECT_EQ(roundsFor(0.1), 21);
  EXPECT_EQ(roundsFor(30), 11);
  EXPECT_EQ(roundsFor(1e6), 5);
  for (const double ms : {0.01, 14.0, 20.0, 27.0, 35.0, 50.0, 70.0}) EXPECT_EQ(roundsFor(ms) % 2, 1) << ms;
}

// Else one hides at most a part of the other, and what is printed is noise.
TEST(BenchFigures, ChooseCountsOfAboutTheSameTime) {
  for (int i = 0; i < 30; ++i)
    for (int k = -15; k <= 15; ++k) {
      const double gemm = 0.05 * std::pow(1.3, i), exchange = gemm * std::pow(1.3, k);  // 64 is more than 1.3^15
      const BesideCounts counts = besideCounts(gemm, exchange);
      const double gemms = gemm * counts.gemms, exchanges = exchange * counts.exchanges;
      EXPECT_LE(std::max(gemms, exchanges) / std::min(gemms, exchanges), 1.5) << gemm << " " << exchange;
      EXPECT_GE(std::min(gemms, exchanges), std::min(3.0, 32 * std::min(gemm, exchange))) << gemm << " " << exchange;
    }
  for (const double odd : {1e-6, 1e6}) {
    const BesideCounts counts = besideCounts(1, odd);
    EXPECT_TRUE(counts.gemms >= 1 && counts.gemms <= 64) << odd;
    EXPECT_TRUE(counts.exchanges >= 1 && counts.exchanges <= 64) << odd;
  }
}

TEST(BenchFigures, HiddenIsOfTheShorter) {
  EXPECT_EQ(hiddenShare(10, 4, 10), 1);
  EXPECT_EQ(hiddenShare(4, 10, 14), 0);
  EXPECT_EQ(hiddenShare(10, 4, 12), 0.5);
  EXPECT_EQ(hiddenShare(10, 4, 16), -0.5);
}

}  // namespace
}  // namespace ulysses::test
