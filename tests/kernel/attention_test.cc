// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The fast local attention against plain loops in double, on every instruction set; bits over threads and heads.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "attention/flash/flash.h"
#include "attention_reference.h"
#include "kernel_fixture.h"

namespace ulysses::attention::test {
namespace {

using kernels::test::nameOfParam;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::initializer_list<ulyssesDataType_t> kTypes = {ulyssesFloat32, ulyssesBfloat16, ulyssesFloat16};

double toleranceOf(ulyssesDataType_t dtype) {
  return dtype == ulyssesFloat32 ? 2e-6 : dtype == ulyssesBfloat16 ? 4e-3 : 1e-3;
}

/// Exactly as many bytes as were asked for, between lines that must not change; begun with NaNs.
class Workspace {
 public:
  explicit Workspace(size_t bytes) : bytes_(bytes), memory_(bytes + 2 * kLine) {
    std::memset(memory_.data(), 0xFF, bytes + 2 * kLine);
  }
  std::byte* at() const { return memory_.data() + kLine; }
  bool intact() const {
    for (size_t i = 0; i < kLine; ++i)
      if (memory_.data()[i] != std::byte{0xFF} || at()[bytes_ + i] != std::byte{0xFF}) return false;
    return true;
  }

 private:
  static constexpr size_t kLine = 64;
  size_t bytes_;
  AlignedBytes memory_;
};

void run(ulyssesLocalAttention_t problem) {
  const Workspace workspace(flashWorkspaceBytes(problem));
  problem.workspace = workspace.at();
  problem.workspaceBytes = flashWorkspaceBytes(problem);
  ASSERT_EQ(flashAttention(problem), ulyssesSuccess);
  ASSERT_TRUE(workspace.intact());
}

class Attention : public kernels::test::EveryTarget {
 protected:
  static int64_t cases(int64_t usual) {
    const char* wanted = std::getenv("ULYSSES_TEST_CASES");
    return wanted ? std::strtoll(wanted, nullptr, 10) : usual;
  }
  /// The portable instruction set is slow.
  int64_t longest() const { return GetParam() == HWY_AVX3 || GetParam() == HWY_AVX2 ? 420 : 210; }

  /// LSE and delta are inputs of the backward pass: those of the reference, rounded.
  static void setStatistics(Case& drawn, Reference& wanted) {
    drawn.lse.fill([&](auto s, auto b, auto h, auto) { return wanted.lse.at(s, b, h); });
    drawn.delta.fill([&](auto s, auto b, auto h, auto) { return wanted.delta.at(s, b, h); });
  }

  static bool same(double is, double should) { return is == should || (std::isnan(is) && std::isnan(should)); }

  static double normOf(const Values& values) {
    double sum = 0;
    for (const double value : values.values) sum += std::isfinite(value) ? value * value : 0;
    return std::sqrt(sum);
  }

  /// To `tolerance` of the norm, and `slack` for what float32 cannot resolve.
  static void compare(const char* name, const Tensor& actual, Values& wanted, double tolerance, double slack = 0) {
    double difference = 0;
    const auto& shape = actual.shape();
    for (int64_t s = 0; s < shape[0]; ++s)
      for (int64_t b = 0; b < shape[1]; ++b)
        for (int64_t h = 0; h < shape[2]; ++h)
          for (int64_t d = 0; d < shape[3]; ++d) {
            const double is = actual.get(s, b, h, d), should = wanted.at(s, b, h, d);
            if (!std::isfinite(should)) {
              ASSERT_TRUE(same(is, should))
                  << name << " at " << s << "," << b << "," << h << "," << d << ": " << is << " instead of " << should;
              continue;
            }
            ASSERT_TRUE(std::isfinite(is)) << name << " at " << s << "," << b << "," << h << "," << d << ": " << is;
            difference += (is - should) * (is - should);
          }
    EXPECT_LE(std::sqrt(difference), tolerance * normOf(wanted) + slack) << name << " of norm " << normOf(wanted);
    EXPECT_TRUE(actual.gapsIntact()) << name;
  }

  static void checkForward(Case& drawn, Reference& wanted) {
    run(drawn.of(false));
    const double tolerance = toleranceOf(drawn.problem.dtype);
    compare("O", drawn.output, wanted.output, tolerance);
    compare("LSE", drawn.computedLse, wanted.lse, tolerance);
  }
  static void checkBackward(Case& drawn, Reference& wanted) {
    setStatistics(drawn, wanted);
    run(drawn.of(true));
    const double tolerance = toleranceOf(drawn.problem.dtype);
    constexpr double kResolved = 1e-7;
    compare("dQ", drawn.queryGradient, wanted.queryGradient, tolerance, kResolved * normOf(wanted.queryMagnitude));
    compare("dK", drawn.keyGradient, wanted.keyGradient, tolerance, kResolved * normOf(wanted.keyMagnitude));
    compare("dV", drawn.valueGradient, wanted.valueGradient, tolerance);
    for (size_t h = 0; h < drawn.sinks.size(); ++h) {
      const double is = drawn.sinkGradients[h], should = wanted.sinkGradients[h];
      EXPECT_TRUE(same(is, should) || std::abs(is - should) <= 1e-5 * (1 + std::abs(should)))
          << "sink gradient " << h << ": " << is << " instead of " << should;
    }
  }
  static void check(Case& drawn) {
    SCOPED_TRACE(drawn.text());
    Reference wanted = referenceOf(drawn);
    checkForward(drawn, wanted);
    checkBackward(drawn, wanted);
  }
};

TEST_P(Attention, RandomProblems) {
  for (int64_t i = 0; i < cases(300) && !HasFailure(); ++i) {
    SCOPED_TRACE(i);
    Rng rng(1, static_cast<uint64_t>(i), 0);
    Case drawn = randomCase(rng, rng.pick(kTypes), rng.chance(20) ? longest() : 60);
    check(drawn);
  }
}

/// What is not finite reaches those tokens that see it, or are seen by it, and no others.
TEST_P(Attention, NotFiniteSpreadsAsInPlainLoops) {
  for (int64_t i = 0; i < cases(120) && !HasFailure(); ++i) {
    SCOPED_TRACE(i);
    Rng rng(2, static_cast<uint64_t>(i), 0);
    Case drawn = randomCase(rng, rng.pick(kTypes), rng.chance(20) ? longest() : 60);
    if (drawn.problem.sequence == 0 || drawn.problem.batch == 0) continue;
    Tensor* const tensors[] = {&drawn.query, &drawn.key, &drawn.value, &drawn.outputGradient};
    Tensor& tensor = *tensors[rng.between(0, 3)];
    std::array<int64_t, 4> at{};
    for (size_t axis = 0; axis < 4; ++axis) at[axis] = rng.between(0, tensor.shape()[axis] - 1);
    tensor.set(at[0], at[1], at[2], at[3], rng.pick({kNan, kInfinity, -kInfinity}));
    check(drawn);
  }
}

/// Neither threads nor the other heads of a call change a bit.
TEST_P(Attention, SameBitsForAllThreadsAndHeads) {
  for (int64_t i = 0; i < cases(300) / 10 && !HasFailure(); ++i) {
    SCOPED_TRACE(i);
    Rng rng(3, static_cast<uint64_t>(i), 0);
    Case drawn = randomCase(rng, rng.pick(kTypes), 2 * longest());
    Reference wanted;
    for (Values* statistics : {&wanted.lse, &wanted.delta}) {
      statistics->shape = drawn.lse.shape();
      const auto& shape = statistics->shape;
      statistics->values.resize(static_cast<size_t>(shape[0] * shape[1] * shape[2]), 4.0);
    }
    setStatistics(drawn, wanted);
    drawn.problem.threads = 1;
    Case threads = drawn, heads = drawn;
    for (const bool backward : {false, true}) {
      run(drawn.of(backward));
      threads.problem.threads = static_cast<int32_t>(rng.between(2, 5));
      run(threads.of(backward));
      for (int64_t k = 0; k < heads.problem.kvHeads; ++k) run(heads.of(backward, k, 1));
    }
    for (const Case* other : {&threads, &heads}) {
      EXPECT_TRUE(other->output == drawn.output) << drawn.text();
      EXPECT_TRUE(other->computedLse == drawn.computedLse) << drawn.text();
      EXPECT_TRUE(other->queryGradient == drawn.queryGradient) << drawn.text();
      EXPECT_TRUE(other->keyGradient == drawn.keyGradient) << drawn.text();
      EXPECT_TRUE(other->valueGradient == drawn.valueGradient) << drawn.text();
      EXPECT_EQ(other->sinkGradients, drawn.sinkGradients) << drawn.text();
    }
  }
}

TEST_P(Attention, WhatItDoesNotCompute) {
  Rng rng(4);
  Case drawn = randomCase(rng, ulyssesFloat32, 50);
  ulyssesLocalAttention_t problem = drawn.of(false);
  EXPECT_EQ(flashAttention(problem), ulyssesInvalidArgument);  // no workspace
  problem.dtype = ulyssesFloat64;
  EXPECT_EQ(flashWorkspaceBytes(problem), 0U);
  EXPECT_EQ(flashAttention(problem), ulyssesNotSupported);
}

INSTANTIATE_TEST_SUITE_P(Simd, Attention, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), nameOfParam);

}  // namespace
}  // namespace ulysses::attention::test
