// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention_check.h"

#include <algorithm>
#include <cmath>

#include "attention_values.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kSampledRows = 12;     // of each rank
constexpr double kMostOperations = 2e8;  // for one sampled row of dK and dV

double dot(Input a, int64_t i, int64_t aHead, Input b, int64_t j, int64_t bHead, int64_t batch, int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += inputValue(a, i, batch, aHead, d) * inputValue(b, j, batch, bHead, d);
  return sum;
}

// One token's row of a head, in float64.
class Row {
 public:
  Row(const Options& options, const Case& test, int64_t i, int64_t b, int64_t h)
      : options_(options), i_(i), b_(b), h_(h), kv_(h / (test.heads / test.kvHeads)) {
    const Seen seen = seenBy(options, test.sequence, i);
    begin_ = seen.begin;
    scale_ = 1 / std::sqrt(static_cast<double>(options.headDim));
    double top = -HUGE_VAL, sum = 0;
    for (int64_t j = seen.begin; j < seen.end; ++j) {
      weights_.push_back(scale_ * dot(Input::kQuery, i, h, Input::kKey, j, kv_, b, options.headDim));
      top = std::max(top, weights_.back());
    }
    for (double& weight : weights_) sum += weight = std::exp(weight - top);
    for (double& weight : weights_) weight /= sum;
    lse_ = top + std::log(sum);
  }

  double lse() const { return lse_; }
  double weight(int64_t j) const { return weights_[static_cast<size_t>(j - begin_)]; }

  std::vector<double> output() const {
    std::vector<double> row(static_cast<size_t>(options_.valueHeadDim));
    for (size_t n = 0; n < weights_.size(); ++n)
      for (size_t d = 0; d < row.size(); ++d)
        row[d] +=
            weights_[n] * inputValue(Input::kValue, begin_ + static_cast<int64_t>(n), b_, kv_, static_cast<int64_t>(d));
    return row;
  }
  // `output`: as backward was given it.
  double delta(const std::vector<double>& output) const {
    double sum = 0;
    for (size_t d = 0; d < output.size(); ++d)
      sum += output[d] * inputValue(Input::kOutputGradient, i_, b_, h_, static_cast<int64_t>(d));
    return sum;
  }
  // Of the score of token j.
  double scoreGradient(int64_t j, double delta) const {
    const double dP = dot(Input::kOutputGradient, i_, h_, Input::kValue, j, kv_, b_, options_.valueHeadDim);
    return scale_ * weight(j) * (dP - delta);
  }
  std::vector<double> queryGradient(double delta) const {
    std::vector<double> row(static_cast<size_t>(options_.headDim));
    for (int64_t j = begin_; j < begin_ + std::ssize(weights_); ++j) {
      const double gradient = scoreGradient(j, delta);
      for (size_t d = 0; d < row.size(); ++d)
        row[d] += gradient * inputValue(Input::kKey, j, b_, kv_, static_cast<int64_t>(d));
    }
    return row;
  }

 private:
  const Options& options_;
  int64_t i_, b_, h_, kv_, begin_ = 0;
  double scale_ = 1, lse_ = 0;
  std::vector<double> weights_;  // of the tokens from begin_ on
};

// The checks of one rank.
class Checker {
 public:
  Checker(const Options& options, const Case& test, int rank, const Results& results, AttentionFigures& figures)
      : options_(options),
        test_(test),
        positions_(test.shares[static_cast<size_t>(rank)].positions),
        results_(results),
        figures_(figures) {}

  void checkRow(int64_t s, int64_t b, int64_t h) {
    const Row row(options_, test_, positions_[static_cast<size_t>(s)], b, h);
    compare(Checked::kOutput, s, b, h, row.output());
    compare(Checked::kLse, s, b, h, {row.lse()});
    if (options_.backward) compare(Checked::kQueryGradient, s, b, h, row.queryGradient(row.delta(given(s, b, h))));
  }

  // A row of dK and dV takes something of every token that sees it.
  void checkKey(int64_t s, int64_t b, int64_t kv) {
    const int64_t j = positions_[static_cast<size_t>(s)], shared = test_.heads / test_.kvHeads;
    const Seen seen = seeing(options_, test_.sequence, j);
    std::vector<double> dK(static_cast<size_t>(options_.headDim)), dV(static_cast<size_t>(options_.valueHeadDim));
    for (int64_t h = kv * shared; h < (kv + 1) * shared; ++h)
      for (int64_t i = seen.begin; i < seen.end; ++i) {
        const Row row(options_, test_, i, b, h);
        std::vector<double> output = row.output();
        for (double& value : output) value = rounded(value);
        const double gradient = row.scoreGradient(j, row.delta(output));
        for (size_t d = 0; d < dK.size(); ++d)
          dK[d] += gradient * inputValue(Input::kQuery, i, b, h, static_cast<int64_t>(d));
        for (size_t d = 0; d < dV.size(); ++d)
          dV[d] += row.weight(j) * inputValue(Input::kOutputGradient, i, b, h, static_cast<int64_t>(d));
      }
    compare(Checked::kKeyGradient, s, b, kv, dK);
    compare(Checked::kValueGradient, s, b, kv, dV);
  }

 private:
  double rounded(double value) const {
    const uint64_t bits = toBits(test_.type->id, value);
    return fromBits(test_.type->id, reinterpret_cast<const std::byte*>(&bits));
  }
  double element(Checked tensor, int64_t s, int64_t b, int64_t h, size_t d) const {
    const ulyssesDataType_t type = tensor == Checked::kLse ? ulyssesFloat32 : test_.type->id;
    const size_t bytes = type == ulyssesFloat32 ? 4 : 2;
    return fromBits(type, results_.row(tensor, s, b, h) + d * bytes);
  }
  // O as the library left it, which is what its backward pass got.
  std::vector<double> given(int64_t s, int64_t b, int64_t h) const {
    std::vector<double> row(static_cast<size_t>(options_.valueHeadDim));
    for (size_t d = 0; d < row.size(); ++d) row[d] = element(Checked::kOutput, s, b, h, d);
    return row;
  }
  void compare(Checked tensor, int64_t s, int64_t b, int64_t h, const std::vector<double>& wanted) {
    Squares& squares = figures_.squares[static_cast<int>(tensor)];
    for (size_t d = 0; d < wanted.size(); ++d) {
      const double difference = element(tensor, s, b, h, d) - wanted[d];
      squares.difference += difference * difference;
      squares.wanted += wanted[d] * wanted[d];
    }
  }

  const Options& options_;
  const Case& test_;
  const std::vector<int64_t>& positions_;
  const Results& results_;
  AttentionFigures& figures_;
};

}  // namespace

Seen seenBy(const Options& options, int64_t sequence, int64_t i) {
  Seen seen{0, sequence};
  if (options.windowLeft >= 0) seen.begin = std::max<int64_t>(0, i - options.windowLeft);
  if (options.windowRight >= 0 && options.windowRight < sequence - i) seen.end = i + options.windowRight + 1;
  if (options.causal) seen.end = std::min(seen.end, i + 1);
  return seen;
}

Seen seeing(const Options& options, int64_t sequence, int64_t j) {
  Seen seen{0, sequence};
  if (options.windowLeft >= 0 && options.windowLeft < sequence - j) seen.end = j + options.windowLeft + 1;
  if (options.windowRight >= 0) seen.begin = std::max<int64_t>(0, j - options.windowRight);
  if (options.causal) seen.begin = std::max(seen.begin, j);
  return seen;
}

double visiblePairs(const Options& options, int64_t sequence) {
  double pairs = 0;
  for (int64_t i = 0; i < sequence; ++i) {
    const Seen seen = seenBy(options, sequence, i);
    pairs += static_cast<double>(seen.end - seen.begin);
  }
  return pairs;
}

// Of the first token, whose row takes as long as any.
bool checksKeys(const Options& options, const Case& test) {
  const Seen seen = seeing(options, test.sequence, 0);
  double pairs = 0;
  for (int64_t i = seen.begin; i < seen.end; ++i) {
    const Seen keys = seenBy(options, test.sequence, i);
    pairs += static_cast<double>(keys.end - keys.begin);
  }
  const int64_t shared = test.heads / test.kvHeads, dims = options.headDim + options.valueHeadDim;
  return options.backward && pairs * static_cast<double>(shared * dims) <= kMostOperations;
}

void checkSamples(const Options& options, const Case& test, int rank, const Results& results,
                  AttentionFigures& figures) {
  const int64_t tokens = test.tokenCount(rank);
  if (tokens == 0 || test.batch == 0) return;
  Checker checker(options, test, rank, results, figures);
  for (int64_t n = 0; n < kSampledRows; ++n)  // spread over tokens, batch and heads, the last token among them
    checker.checkRow(tokens - 1 - n * tokens / kSampledRows, n % test.batch, (n * 7 + rank) % test.heads);
  if (checksKeys(options, test)) checker.checkKey(tokens / 3, rank % test.batch, rank % test.kvHeads);
}

const char* nameOf(Checked tensor) {
  constexpr const char* kNames[kCheckedTensors] = {"O", "LSE", "dQ", "dK", "dV"};
  return kNames[static_cast<int>(tensor)];
}

}  // namespace ulysses::perf
