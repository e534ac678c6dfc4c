// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The check of ulysses_perf attention is red on wrong results: zeros, one wrong row, rows of other tokens.
#include "attention_check.h"

#include <gtest/gtest.h>

#include <cmath>

#include "attention_values.h"

namespace ulysses::perf {

namespace {

constexpr int64_t kDim = 4;

Options optionsOf() {
  Options options;
  options.ranks = 1;
  options.sequence = 24;
  options.heads = options.kvHeads = 2;
  options.headDim = options.valueHeadDim = kDim;
  options.causal = true;
  options.type = findDataType("f32");
  return options;
}

Case caseOf(const Options& options) {
  Case test;
  test.type = options.type;
  test.ranks = 1;
  test.sequence = options.sequence;
  test.batch = 1;
  test.heads = test.kvHeads = options.heads;
  test.shares = {{0, 2, 0, 2, {}}};
  for (int64_t token = 0; token < options.sequence; ++token) test.shares[0].positions.push_back(token);
  return test;
}

/// O and LSE by loops of their own, [S, heads, D] and [S, heads].
struct Right {
  std::vector<float> output, lse;

  explicit Right(const Options& options) {
    for (int64_t i = 0; i < options.sequence; ++i)
      for (int64_t h = 0; h < options.heads; ++h) {
        double sum = 0, row[kDim] = {};
        for (int64_t j = 0; j <= i; ++j) {
          double score = 0;
          for (int64_t d = 0; d < kDim; ++d)
            score += inputValue(Input::kQuery, i, 0, h, d) * inputValue(Input::kKey, j, 0, h, d);
          sum += std::exp(score / 2);
          for (int64_t d = 0; d < kDim; ++d) row[d] += std::exp(score / 2) * inputValue(Input::kValue, j, 0, h, d);
        }
        for (const double value : row) output.push_back(static_cast<float>(value / sum));
        lse.push_back(static_cast<float>(std::log(sum)));
      }
  }

  Squares squares(const Options& options, Checked tensor) const {
    const Case test = caseOf(options);
    const Results results{[&](Checked which, int64_t s, int64_t, int64_t h) {
      const size_t row = static_cast<size_t>(s * options.heads + h);
      return which == Checked::kLse ? reinterpret_cast<const std::byte*>(&lse[row])
                                    : reinterpret_cast<const std::byte*>(&output[row * kDim]);
    }};
    AttentionFigures figures{};
    checkSamples(options, test, 0, results, figures);
    return figures.squares[static_cast<int>(tensor)];
  }
};

double errorOf(const Squares& squares) { return std::sqrt(squares.difference / squares.wanted); }

TEST(AttentionCheck, PassesWhatIsRight) {
  const Options options = optionsOf();
  EXPECT_LT(errorOf(Right(options).squares(options, Checked::kOutput)), 1e-6);
  EXPECT_LT(errorOf(Right(options).squares(options, Checked::kLse)), 1e-6);
}

TEST(AttentionCheck, SeesWhatIsWrong) {
  const Options options = optionsOf();
  Right zeros(options), last(options), moved(options);
  zeros.output.assign(zeros.output.size(), 0);
  EXPECT_NEAR(errorOf(zeros.squares(options, Checked::kOutput)), 1, 1e-9);
  for (size_t i = last.output.size() - 2 * kDim; i < last.output.size(); ++i) last.output[i] *= 1.01F;
  EXPECT_GT(errorOf(last.squares(options, Checked::kOutput)), 1e-4);
  std::rotate(moved.lse.begin(), moved.lse.begin() + 2, moved.lse.end());
  EXPECT_GT(errorOf(moved.squares(options, Checked::kLse)), 1e-3);
}

TEST(AttentionCheck, CountsPairsThatSeeEachOther) {
  Options options = optionsOf();
  EXPECT_EQ(visiblePairs(options, 24), 24 * 25 / 2);
  options.windowLeft = 3;
  EXPECT_EQ(visiblePairs(options, 24), 21 * 4 + 3 + 2 + 1);
  options.causal = false;
  options.windowRight = 0;
  EXPECT_EQ(visiblePairs(options, 24), 21 * 4 + 3 + 2 + 1);
  for (int64_t j = 0; j < 24; ++j)
    for (int64_t i = 0; i < 24; ++i) {
      const Seen keys = seenBy(options, 24, i), queries = seeing(options, 24, j);
      EXPECT_EQ(j >= keys.begin && j < keys.end, i >= queries.begin && i < queries.end) << i << " " << j;
    }
}

}  // namespace

}  // namespace ulysses::perf
