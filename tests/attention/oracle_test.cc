// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The built-in oracle by itself: gradients against finite differences, rows that see nothing, NaN and infinity.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/rng.h"
#include "ulysses_attention.h"

namespace ulysses::test {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A local problem in float64, [B, heads, S, dim].
class Problem {
 public:
  Problem(std::int64_t tokens, std::int64_t batch, std::int64_t heads, std::int64_t kvHeads, std::int64_t dim,
          std::int64_t vDim) {
    p_.size = sizeof p_;
    p_.sequence = tokens;
    p_.batch = batch;
    p_.heads = heads;
    p_.kvHeads = kvHeads;
    p_.headDim = dim;
    p_.vHeadDim = vDim;
    p_.dtype = ulyssesFloat64;
    p_.scale = 0.5;
    p_.windowLeft = p_.windowRight = ULYSSES_ATTENTION_ANY;
    p_.threads = 1;
    p_.query = hold(heads, dim, &query);
    p_.key = hold(kvHeads, dim, &key);
    p_.value = hold(kvHeads, vDim, &value);
    p_.output = hold(heads, vDim, &output);
    p_.outputGradient = hold(heads, vDim, &outputGradient);
    p_.queryGradient = hold(heads, dim, &queryGradient);
    p_.keyGradient = hold(kvHeads, dim, &keyGradient);
    p_.valueGradient = hold(kvHeads, vDim, &valueGradient);
    p_.lse = hold(heads, 1, &lse);
    p_.delta = hold(heads, 1, &delta);
    Rng rng(7);
    for (auto* values : {&query, &key, &value, &outputGradient})
      for (double& x : *values) x = static_cast<double>(rng.between(-1000, 1000)) / 700;
  }

  ulyssesLocalAttention_t& fields() { return p_; }

  void forward() { run(0); }
  void backward() {
    const auto dim = static_cast<std::size_t>(p_.vHeadDim);
    for (std::size_t row = 0; row < delta.size(); ++row) {
      double sum = 0;
      for (std::size_t d = 0; d < dim; ++d) sum += output[row * dim + d] * outputGradient[row * dim + d];
      delta[row] = static_cast<float>(sum);
    }
    run(1);
  }
  /// What the gradients are of: the sum of dO * O.
  double loss() {
    forward();
    double sum = 0;
    for (std::size_t i = 0; i < output.size(); ++i) sum += output[i] * outputGradient[i];
    return sum;
  }

  std::vector<double> query, key, value, output, outputGradient, queryGradient, keyGradient, valueGradient;
  std::vector<float> lse, delta;

 private:
  template <typename Element>
  ulyssesLocalTensor_t hold(std::int64_t heads, std::int64_t dim, std::vector<Element>* values) {
    values->assign(static_cast<std::size_t>(p_.sequence * p_.batch * heads * dim), Element{});
    return {values->data(), dim, heads * p_.sequence * dim, p_.sequence * dim};
  }
  void run(std::int32_t backward) {
    p_.backward = backward;
    std::vector<std::byte> workspace(ulyssesAttentionOracleWorkspace(&p_, nullptr));
    p_.workspace = workspace.data();
    p_.workspaceBytes = workspace.size();
    ASSERT_EQ(ulyssesAttentionOracle(&p_, nullptr), ulyssesSuccess) << ulyssesAttentionGetLastError();
  }

  ulyssesLocalAttention_t p_{};
};

/// LSE and delta are float32, so gradients are as good as that.
void expectDerivative(Problem* problem, std::vector<double>* values, const std::vector<double>& gradient,
                      const char* name) {
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < values->size(); ++i) {
    const double was = (*values)[i];
    (*values)[i] = was + kStep;
    const double above = problem->loss();
    (*values)[i] = was - kStep;
    const double below = problem->loss();
    (*values)[i] = was;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 3e-6) << name << "[" << i << "]";
  }
}

void expectDerivatives(Problem* problem) {
  problem->forward();
  problem->backward();
  const auto dq = problem->queryGradient, dk = problem->keyGradient, dv = problem->valueGradient;
  expectDerivative(problem, &problem->query, dq, "dQ");
  expectDerivative(problem, &problem->key, dk, "dK");
  expectDerivative(problem, &problem->value, dv, "dV");
}

TEST(Oracle, GradientsAreFiniteDifferences) {
  Problem problem(7, 2, 4, 2, 3, 5);
  expectDerivatives(&problem);
}

TEST(Oracle, GradientsWithEveryOption) {
  Problem problem(9, 1, 4, 2, 4, 3);
  const std::int64_t ends[] = {0, 6, 6, 9};
  const float slopes[] = {0.1F, 0.2F, 0.3F, 0}, sinks[] = {0.3F, -1, 2, 0};
  float sinkGradients[4] = {};
  ulyssesLocalAttention_t& p = problem.fields();
  p.causal = 1;
  p.windowLeft = 3;
  p.cuSeqlens = ends;
  p.nSequences = 3;
  p.slopes = slopes;
  p.sinks = sinks;
  p.sinkGradients = sinkGradients;
  expectDerivatives(&problem);
  problem.forward();
  problem.backward();
  constexpr float kStep = 1.0F / 1024;
  for (int h = 0; h < 4; ++h) {
    float moved[] = {sinks[0], sinks[1], sinks[2], sinks[3]};
    p.sinks = moved;
    moved[h] = sinks[h] + kStep;
    const double above = problem.loss();
    moved[h] = sinks[h] - kStep;
    const double below = problem.loss();
    p.sinks = sinks;
    EXPECT_NEAR(static_cast<double>(sinkGradients[h]), (above - below) / (2 * static_cast<double>(kStep)), 1e-5) << h;
  }
}

TEST(Oracle, WindowToTheRight) {
  Problem problem(8, 1, 1, 1, 2, 2);
  problem.fields().windowLeft = 0;
  problem.fields().windowRight = 2;
  expectDerivatives(&problem);
}

/// The limits of the definition; with a sink, which takes all the weight, zeros.
TEST(Oracle, InfiniteScores) {
  Problem problem(3, 1, 2, 1, 1, 2);
  problem.query.assign(problem.query.size(), 1);
  for (const double infinity : {-kInfinity, kInfinity}) {
    problem.key.assign(problem.key.size(), infinity);
    problem.forward();
    for (const double value : problem.output) EXPECT_TRUE(std::isnan(value));
    for (const float lse : problem.lse) EXPECT_EQ(lse, static_cast<float>(infinity));
  }
  const float sinks[] = {0.5F, -2};
  problem.fields().sinks = sinks;
  problem.key.assign(problem.key.size(), -kInfinity);
  problem.forward();
  for (const double value : problem.output) EXPECT_EQ(value, 0);
  EXPECT_FLOAT_EQ(problem.lse.front(), 0.5F);
  EXPECT_FLOAT_EQ(problem.lse.back(), -2);
}

TEST(Oracle, EmptyProblem) {
  Problem problem(0, 2, 2, 1, 3, 3);
  problem.forward();
  problem.backward();
}

TEST(Oracle, NanGoesWhereItIsSeen) {
  Problem problem(5, 1, 1, 1, 2, 2);
  problem.fields().causal = 1;
  problem.key[2 * 3] = std::nan("");  // of token 3
  problem.forward();
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(std::isnan(problem.output[2 * i]), i >= 3) << i;
    EXPECT_EQ(std::isnan(problem.lse[i]), i >= 3) << i;
  }
  problem.backward();
  EXPECT_FALSE(std::isnan(problem.queryGradient[2 * 2]));
  EXPECT_TRUE(std::isnan(problem.queryGradient[2 * 3]));
}

TEST(Oracle, SaysWhatIsWrong) {
  Problem problem(4, 1, 3, 1, 2, 2);
  problem.fields().kvHeads = 2;
  EXPECT_EQ(ulyssesAttentionOracle(&problem.fields(), nullptr), ulyssesInvalidArgument);
  EXPECT_NE(std::string(ulyssesAttentionGetLastError()).find("heads=3 kvHeads=2"), std::string::npos);
  problem.fields().kvHeads = 1;
  EXPECT_EQ(ulyssesAttentionOracle(&problem.fields(), nullptr), ulyssesInvalidArgument);
  EXPECT_NE(std::string(ulyssesAttentionGetLastError()).find("workspaceBytes=0"), std::string::npos);
  EXPECT_EQ(ulyssesAttentionOracle(nullptr, nullptr), ulyssesInvalidArgument);
}

}  // namespace

}  // namespace ulysses::test
