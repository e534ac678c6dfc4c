// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Random problems, forward and backward, against a reference that shares nothing with the library. --cases 2000 is the
// acceptance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "attention/attention_case.h"
#include "attention/main.h"
#include "support/partition.h"

namespace ulysses::test {

namespace {

constexpr std::int64_t kUsualCases = 300;

double toleranceOf(ulyssesDataType_t type) {
  if (type == ulyssesFloat32) return 2e-6;
  return type == ulyssesFloat16 ? 1e-3 : 4e-3;
}

double normOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

/// Errors of all tensors of a run, over what is allowed.
class Comparison {
 public:
  explicit Comparison(ulyssesDataType_t type) : tolerance_(toleranceOf(type)) {}

  /// Against the norm of the reference; but not below `least`, nor below a hundredth of the norm of `sizes`, of what
  /// was added up for each element, nor where float32's own arithmetic ends: terms that cancel leave their rounding.
  void compare(const char* name, const std::vector<double>& got, const std::vector<double>& want,
               const std::vector<double>& sizes, double least = 0) {
    const double size = normOf(sizes);
    std::vector<double> differences;
    for (std::size_t i = 0; i < want.size(); ++i)
      differences.push_back(got[i] == want[i] ? 0 : got[i] - want[i]);  // infinities cancel
    const double norm = normOf(want), floor = std::max({least, 0.01 * size, 0x1p-22 * size / tolerance_});
    const double error = normOf(differences), allowed = tolerance_ * std::max(norm, floor);
    (norm >= floor ? strict_ : cancelled_) += 1;
    if (allowed > 0) worst_ = std::max(worst_, error / allowed);
    if (!(error <= allowed))  // NaN, too
      text_ += std::string(name) + ": " + std::to_string(error / allowed) + " times what is allowed, norm " +
               std::to_string(norm) + ", of the terms " + std::to_string(size) + "\n";
  }

  const std::string& text() const { return text_; }
  double worst() const { return worst_; }
  std::int64_t strict() const { return strict_; }
  std::int64_t cancelled() const { return cancelled_; }

 private:
  double tolerance_, worst_ = 0;
  std::int64_t strict_ = 0, cancelled_ = 0;
  std::string text_;
};

Comparison compare(const AttentionCase& test, const AttentionInputs& in, const AttentionRun& run) {
  const Reference want = referenceOf(in, run.output);
  Comparison c(test.dtype);
  std::vector<double> sizes = want.lse.values;
  for (double& size : sizes) size = std::isfinite(size) ? std::max(std::fabs(size), 1.0) : 0;
  std::vector<double> gotLse = run.lse.values, wantLse = want.lse.values;
  for (std::size_t i = 0; i < wantLse.size(); ++i)
    if (!std::isfinite(wantLse[i]) && gotLse[i] == wantLse[i]) gotLse[i] = wantLse[i] = 0;
  c.compare("O", run.output.values, want.output.values, want.outputSize.values);
  c.compare("LSE", gotLse, wantLse, sizes);
  c.compare("dQ", run.queryGradient.values, want.queryGradient.values, want.queryGradientSize.values);
  // Ranks that share a KV head round their parts, which then are added in float32 and rounded once.
  const bool shared = partitionOf(test.geometry, test.nRanks)->kvShared;
  c.compare("dK", run.keyGradient.values, want.keyGradient.values, want.keyGradientSize.values,
            shared ? want.keyPartsNorm : 0);
  c.compare("dV", run.valueGradient.values, want.valueGradient.values, want.valueGradientSize.values,
            shared ? want.valuePartsNorm : 0);
  if (test.sinks) c.compare("dSinks", run.sinkGradients, want.sinkGradients, want.sinkGradientSizes);
  return c;
}

using Coverage = std::map<std::string, std::int64_t>;

void cover(const AttentionCase& test, Coverage* counts) {
  const GeometrySpec& g = test.geometry;
  const bool packed = g.nSequences > 1, zigzag = g.order == ulyssesOrderZigzag;
  const std::pair<const char*, bool> properties[] = {
      {"causal", test.causal},
      {"window", test.left >= 0 || test.right >= 0},
      {"scale given", test.scale != 0},
      {"sinks", test.sinks},
      {"slopes", test.slopes},
      {"packed", packed},
      {"packed zigzag", packed && zigzag},
      {"zigzag", zigzag},
      {"uneven tokens", !g.tokens.empty()},
      {"explicit heads", !g.queryHeads.empty()},
      {"shared KV heads", test.kvHeads() < test.nRanks},
      {"GQA", test.kvHeads() < g.heads},
      {"Dv != D", test.headDim != test.vHeadDim},
      {"batch", g.batch > 1},
      {"nothing", g.batch == 0 || g.sequence == 0},
      {"head groups", test.headGroups > 1},
      {"head groups of several", test.headGroups > 1 && g.batch == 1 && test.headGroups * test.nRanks < test.kvHeads()},
      {"f32", test.dtype == ulyssesFloat32},
      {"f16", test.dtype == ulyssesFloat16},
      {"bf16", test.dtype == ulyssesBfloat16},
      {"strides", test.holds[0] == Hold::Gaps},
      {"oracle", test.oracle},
  };
  for (const auto& [name, holds] : properties) (*counts)[name] += holds;
}

TEST(Attention, RandomProblems) {
  const std::int64_t cases = attentionFlags.cases > 0 ? attentionFlags.cases : kUsualCases;
  Coverage counts;
  std::int64_t strict = 0, cancelled = 0;
  double worst = 0;
  for (std::int64_t index = attentionFlags.first; index < attentionFlags.first + cases; ++index) {
    const AttentionCase test = drawCase(attentionFlags.seed, index);
    SCOPED_TRACE("--seed " + std::to_string(attentionFlags.seed) + " --first " + std::to_string(index) +
                 " --cases 1: " + toText(test));
    const AttentionInputs in = inputsOf(test);
    const AttentionRun run = runCase(test, in);
    ASSERT_EQ(run.problem, "");
    const Comparison comparison = compare(test, in, run);
    EXPECT_EQ(comparison.text(), "");
    if (HasFailure()) break;  // the first says enough
    strict += comparison.strict();
    cancelled += comparison.cancelled();
    worst = std::max(worst, comparison.worst());
    cover(test, &counts);
  }
  std::printf("worst error %.3f of what is allowed; %lld tensors by their own norm, %lld cancelled\n", worst,
              static_cast<long long>(strict), static_cast<long long>(cancelled));
  if (cases < kUsualCases || HasFailure()) return;
  for (const auto& [name, count] : counts) EXPECT_GE(count * 200, cases) << name << " dried up";
  EXPECT_GT(strict, 5 * cancelled);
}

}  // namespace

}  // namespace ulysses::test
