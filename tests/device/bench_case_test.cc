// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// gpu_bench (tests/gpu) gives its cases to the library's plan and to ulysses_perf's permutation: both must be of the
// same tensors, which there only a difference of results would show.
#include "gpu/bench_case.h"

#include <gtest/gtest.h>

#include <stdexcept>

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

}  // namespace
}  // namespace ulysses::test
