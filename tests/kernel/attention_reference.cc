// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention_reference.h"

#include <cmath>
#include <limits>

namespace ulysses::attention::test {
namespace {

Values zeros(const std::array<int64_t, 4>& shape) {
  return {shape, std::vector<double>(static_cast<size_t>(shape[0] * shape[1] * shape[2] * shape[3]))};
}

Values valuesOf(const Tensor& tensor) {
  const auto& shape = tensor.shape();
  Values values = zeros(shape);
  for (int64_t s = 0; s < shape[0]; ++s)
    for (int64_t b = 0; b < shape[1]; ++b)
      for (int64_t h = 0; h < shape[2]; ++h)
        for (int64_t d = 0; d < shape[3]; ++d) values.at(s, b, h, d) = tensor.get(s, b, h, d);
  return values;
}

class Computer {
 public:
  explicit Computer(const Case& given)
      : given_(given),
        problem_(given.problem),
        query_(valuesOf(given.query)),
        key_(valuesOf(given.key)),
        value_(valuesOf(given.value)),
        outputGradient_(valuesOf(given.outputGradient)) {
    const auto dense = [&](int64_t heads, int64_t width) {
      return zeros({problem_.sequence, problem_.batch, heads, width});
    };
    result_ = {dense(problem_.heads, problem_.vHeadDim),
               dense(problem_.heads, 1),
               dense(problem_.heads, 1),
               dense(problem_.heads, problem_.headDim),
               dense(problem_.kvHeads, problem_.headDim),
               dense(problem_.kvHeads, problem_.vHeadDim),
               dense(problem_.heads, problem_.headDim),
               dense(problem_.kvHeads, problem_.headDim),
               std::vector<double>(given.sinks.size())};
  }

  Reference compute() {
    for (int64_t b = 0; b < problem_.batch; ++b) {
      for (int64_t h = 0; h < problem_.heads; ++h) {
        for (int64_t i = 0; i < problem_.sequence; ++i) computeRow(b, h, i);
      }
    }
    return result_;
  }

 private:
  bool sees(int64_t i, int64_t j) const {
    if (problem_.causal && j > i) return false;
    if (problem_.windowLeft != ULYSSES_ATTENTION_ANY && i - j > problem_.windowLeft) return false;
    if (problem_.windowRight != ULYSSES_ATTENTION_ANY && j - i > problem_.windowRight) return false;
    if (given_.cuSeqlens.empty()) return true;
    for (size_t n = 1; n < given_.cuSeqlens.size(); ++n) {
      const int64_t begin = given_.cuSeqlens[n - 1], end = given_.cuSeqlens[n];
      if (begin <= i && i < end && begin <= j && j < end) return true;
    }
    return false;
  }

  void computeRow(int64_t b, int64_t h, int64_t i) {
    const int64_t k = h / (problem_.heads / problem_.kvHeads);
    std::vector<int64_t> seen;
    std::vector<double> probability;
    double sum = given_.sinks.empty() ? 0 : std::exp(given_.sinks[static_cast<size_t>(h)]);
    for (int64_t j = 0; j < problem_.sequence; ++j) {
      if (!sees(i, j)) continue;
      double score = 0;
      for (int64_t d = 0; d < problem_.headDim; ++d) score += query_.at(i, b, h, d) * key_.at(j, b, k, d);
      score *= problem_.scale;
      if (!given_.slopes.empty()) score -= given_.slopes[static_cast<size_t>(h)] * static_cast<double>(std::abs(i - j));
      seen.push_back(j);
      probability.push_back(score);
      sum += std::exp(score);
    }
    const double lse = std::log(sum);
    result_.lse.at(i, b, h) = lse;
    for (double& value : probability) value = std::exp(value - lse);
    double delta = 0;
    for (int64_t d = 0; d < problem_.vHeadDim; ++d) {
      double output = 0;
      for (size_t n = 0; n < seen.size(); ++n) output += probability[n] * value_.at(seen[n], b, k, d);
      result_.output.at(i, b, h, d) = output;
      delta += output * outputGradient_.at(i, b, h, d);
    }
    result_.delta.at(i, b, h) = delta;
    for (size_t n = 0; n < seen.size(); ++n) addGradients(b, h, k, i, seen[n], probability[n], delta);
    if (!given_.sinks.empty())
      result_.sinkGradients[static_cast<size_t>(h)] -= std::exp(given_.sinks[static_cast<size_t>(h)] - lse) * delta;
  }

  void addGradients(int64_t b, int64_t h, int64_t k, int64_t i, int64_t j, double probability, double delta) {
    double product = 0, magnitude = std::abs(delta);
    for (int64_t d = 0; d < problem_.vHeadDim; ++d) {
      const double gradient = outputGradient_.at(i, b, h, d);
      product += gradient * value_.at(j, b, k, d);
      magnitude += std::abs(gradient * value_.at(j, b, k, d));
      result_.valueGradient.at(j, b, k, d) += probability * gradient;
    }
    const double slope = probability * (product - delta);
    for (int64_t d = 0; d < problem_.headDim; ++d) {
      const double query = problem_.scale * query_.at(i, b, h, d), key = problem_.scale * key_.at(j, b, k, d);
      result_.queryGradient.at(i, b, h, d) += slope * key;
      result_.keyGradient.at(j, b, k, d) += slope * query;
      result_.queryMagnitude.at(i, b, h, d) += probability * magnitude * std::abs(key);
      result_.keyMagnitude.at(j, b, k, d) += probability * magnitude * std::abs(query);
    }
  }

  const Case& given_;
  const ulyssesLocalAttention_t& problem_;
  Values query_, key_, value_, outputGradient_;
  Reference result_;
};

}  // namespace

Reference referenceOf(const Case& given) { return Computer(given).compute(); }

}  // namespace ulysses::attention::test
