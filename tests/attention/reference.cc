// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ulysses::test {

namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

double product(const double* a, const double* b, std::int64_t dim) {
  double sum = 0;
  for (std::int64_t d = 0; d < dim; ++d) sum += a[d] * b[d];
  return sum;
}

/// p[i * S + j] of one head, and the weight of the sink of each row.
struct Weights {
  std::vector<double> p, sink, lse;
};

Weights weightsOf(const AttentionInputs& in, std::int64_t b, std::int64_t h, std::int64_t kv) {
  const std::int64_t n = in.query.tokens;
  const auto size = static_cast<std::size_t>(n);
  Weights w{std::vector<double>(size * size), std::vector<double>(size), std::vector<double>(size, kNothing)};
  for (std::int64_t i = 0; i < n; ++i) {
    double* const row = w.p.data() + i * n;
    double top = in.sinks.empty() ? kNothing : in.sinks[static_cast<std::size_t>(h)];
    for (std::int64_t j = 0; j < n; ++j) {
      row[j] = kNothing;
      if (!in.mask.sees(i, j)) continue;
      row[j] = in.scale * product(in.query.row(i, b, h), in.key.row(j, b, kv), in.query.dim);
      if (!in.slopes.empty())
        row[j] -= in.slopes[static_cast<std::size_t>(h)] * static_cast<double>(i < j ? j - i : i - j);
      top = std::max(top, row[j]);
    }
    if (top == kNothing) {
      std::fill_n(row, n, 0.0);
      continue;
    }
    double sum = in.sinks.empty() ? 0 : std::exp(in.sinks[static_cast<std::size_t>(h)] - top);
    w.sink[static_cast<std::size_t>(i)] = sum;
    for (std::int64_t j = 0; j < n; ++j) sum += row[j] = row[j] == kNothing ? 0 : std::exp(row[j] - top);
    for (std::int64_t j = 0; j < n; ++j) row[j] /= sum;
    w.sink[static_cast<std::size_t>(i)] /= sum;
    w.lse[static_cast<std::size_t>(i)] = top + std::log(sum);
  }
  return w;
}

void attend(const AttentionInputs& in, const Weights& w, std::int64_t b, std::int64_t h, std::int64_t kv,
            Reference* out) {
  const std::int64_t n = in.query.tokens;
  for (std::int64_t i = 0; i < n; ++i) {
    *out->lse.row(i, b, h) = w.lse[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < n; ++j) {
      const double p = w.p[static_cast<std::size_t>(i * n + j)];
      for (std::int64_t d = 0; d < in.value.dim; ++d) {
        out->output.row(i, b, h)[d] += p * in.value.row(j, b, kv)[d];
        out->outputSize.row(i, b, h)[d] += p * std::fabs(in.value.row(j, b, kv)[d]);
      }
    }
  }
}

void differentiate(const AttentionInputs& in, const Whole& output, const Weights& w, std::int64_t b, std::int64_t h,
                   std::int64_t kv, Reference* out) {
  const std::int64_t n = in.query.tokens, dim = in.query.dim, vDim = in.value.dim;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* const p = w.p.data() + i * n;
    const double* const dO = in.outputGradient.row(i, b, h);
    const double mean = product(dO, output.row(i, b, h), vDim);
    double meanSize = 0;
    for (std::int64_t d = 0; d < vDim; ++d) meanSize += std::fabs(dO[d] * output.row(i, b, h)[d]);
    out->sinkGradients[static_cast<std::size_t>(h)] -= w.sink[static_cast<std::size_t>(i)] * mean;
    out->sinkGradientSizes[static_cast<std::size_t>(h)] += w.sink[static_cast<std::size_t>(i)] * meanSize;
    for (std::int64_t j = 0; j < n; ++j) {
      const double dP = product(dO, in.value.row(j, b, kv), vDim);
      const double dS = in.scale * p[j] * (dP - mean);
      const double size = std::fabs(in.scale) * p[j] * (std::fabs(dP) + meanSize);
      for (std::int64_t d = 0; d < dim; ++d) {
        const double k = in.key.row(j, b, kv)[d], q = in.query.row(i, b, h)[d];
        out->queryGradient.row(i, b, h)[d] += dS * k;
        out->queryGradientSize.row(i, b, h)[d] += size * std::fabs(k);
        out->keyGradient.row(j, b, kv)[d] += dS * q;
        out->keyGradientSize.row(j, b, kv)[d] += size * std::fabs(q);
      }
      for (std::int64_t d = 0; d < vDim; ++d) {
        out->valueGradient.row(j, b, kv)[d] += p[j] * dO[d];
        out->valueGradientSize.row(j, b, kv)[d] += p[j] * std::fabs(dO[d]);
      }
    }
  }
}

/// Adds the squares of what a tensor has become beside what it was.
void addGrowth(const Whole& before, const Whole& after, double* sum) {
  for (std::size_t i = 0; i < after.values.size(); ++i)
    *sum += (after.values[i] - before.values[i]) * (after.values[i] - before.values[i]);
}

}  // namespace

bool Mask::sees(std::int64_t i, std::int64_t j) const {
  if (causal && j > i) return false;
  if (left >= 0 && i - j > left) return false;
  if (right >= 0 && j - i > right) return false;
  const auto sequenceOf = [this](std::int64_t token) {
    return std::count_if(cuSeqlens.begin(), cuSeqlens.end(), [token](std::int64_t end) { return end <= token; });
  };
  return sequenceOf(i) == sequenceOf(j);
}

Reference referenceOf(const AttentionInputs& in, const Whole& output) {
  const Whole &q = in.query, &k = in.key, &v = in.value;
  Reference out;
  out.output = out.outputSize = Whole(q.tokens, q.batch, q.heads, v.dim);
  out.lse = Whole(q.tokens, q.batch, q.heads, 1);
  out.queryGradient = out.queryGradientSize = Whole(q.tokens, q.batch, q.heads, q.dim);
  out.keyGradient = out.keyGradientSize = Whole(q.tokens, q.batch, k.heads, k.dim);
  out.valueGradient = out.valueGradientSize = Whole(q.tokens, q.batch, k.heads, v.dim);
  out.sinkGradients.resize(static_cast<std::size_t>(q.heads));
  out.sinkGradientSizes.resize(static_cast<std::size_t>(q.heads));
  for (std::int64_t b = 0; b < q.batch; ++b)
    for (std::int64_t h = 0; h < q.heads; ++h) {
      const std::int64_t kv = h / (q.heads / k.heads);
      const Weights w = weightsOf(in, b, h, kv);
      attend(in, w, b, h, kv, &out);
      const Whole keyBefore = out.keyGradient, valueBefore = out.valueGradient;
      differentiate(in, output, w, b, h, kv, &out);
      addGrowth(keyBefore, out.keyGradient, &out.keyPartsNorm);
      addGrowth(valueBefore, out.valueGradient, &out.valuePartsNorm);
    }
  out.keyPartsNorm = std::sqrt(out.keyPartsNorm);
  out.valuePartsNorm = std::sqrt(out.valuePartsNorm);
  return out;
}

}  // namespace ulysses::test
