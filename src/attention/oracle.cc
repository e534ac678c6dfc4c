// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The oracle: what attention is, in plain loops and float64. K and V of a head, and the gradients that several query
// heads add to, are kept as float64; everything is rounded once, when it is stored.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "attention/element.h"
#include "attention/failure.h"

namespace ulysses::attention {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

/// The doubles that the oracle works on, one after the other.
struct Scratch {
  double *scores, *k, *v, *q, *o;  // [S], [S, D], [S, Dv], [D], [Dv]; o: of O forward, of dO backward
  double *dq, *dk, *dv, *sinks;    // backward: [D], [S, D], [S, Dv], [heads]
  int64_t count;                   // of all of them

  Scratch(const ulyssesLocalAttention_t& problem, double* base) {
    const int64_t keys = problem.sequence * problem.headDim, values = problem.sequence * problem.vHeadDim;
    double* next = base;
    const auto take = [&](int64_t n) { return std::exchange(next, next + n); };
    scores = take(problem.sequence);
    k = take(keys);
    v = take(values);
    q = take(problem.headDim);
    o = take(problem.vHeadDim);
    const bool backward = problem.backward != 0;
    dq = take(backward ? problem.headDim : 0);
    dk = take(backward ? keys : 0);
    dv = take(backward ? values : 0);
    sinks = take(backward ? problem.heads : 0);
    count = next - base;
  }
};

double dot(const double* a, const double* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// to += factor * from
void addScaled(double factor, const double* from, int64_t count, double* to) {
  for (int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

int64_t rowOf(const ulyssesLocalTensor_t& t, int64_t s, int64_t b, int64_t h) {
  return s * t.sequence + b * t.batch + h * t.head;
}

/// A problem while it is worked through.
class Oracle {
 public:
  explicit Oracle(const ulyssesLocalAttention_t& problem)
      : problem_(problem), scratch_(problem, static_cast<double*>(problem.workspace)) {}

  void run() {
    const bool backward = problem_.backward != 0;
    if (backward) std::fill_n(scratch_.sinks, problem_.heads, 0.0);
    for (b_ = 0; b_ < problem_.batch; ++b_)
      for (kv_ = 0; kv_ < problem_.kvHeads; ++kv_) runKvHead();
    for (int64_t h = 0; backward && problem_.sinkGradients != nullptr && h < problem_.heads; ++h)
      problem_.sinkGradients[h] = static_cast<float>(scratch_.sinks[h]);
  }

 private:
  void runKvHead() {
    const auto& p = problem_;
    for (int64_t s = 0; s < p.sequence; ++s) {
      load(p.key, s, kv_, p.headDim, scratch_.k + s * p.headDim);
      load(p.value, s, kv_, p.vHeadDim, scratch_.v + s * p.vHeadDim);
    }
    if (p.backward != 0) {
      std::fill_n(scratch_.dk, p.sequence * p.headDim, 0.0);
      std::fill_n(scratch_.dv, p.sequence * p.vHeadDim, 0.0);
    }
    const int64_t shared = p.heads / p.kvHeads;
    for (h_ = kv_ * shared; h_ < (kv_ + 1) * shared; ++h_) runHead();
    for (int64_t s = 0; p.backward != 0 && s < p.sequence; ++s) {
      store(p.keyGradient, s, kv_, p.headDim, scratch_.dk + s * p.headDim);
      store(p.valueGradient, s, kv_, p.vHeadDim, scratch_.dv + s * p.vHeadDim);
    }
  }

  void runHead() {
    if (problem_.cuSeqlens == nullptr) return runSequence(0, problem_.sequence);
    for (int64_t n = 0; n < problem_.nSequences; ++n) runSequence(problem_.cuSeqlens[n], problem_.cuSeqlens[n + 1]);
  }

  /// The tokens of one packed sequence. What token i sees is always a range.
  void runSequence(int64_t first, int64_t end) {
    const auto& p = problem_;
    for (i_ = first; i_ < end; ++i_) {
      begin_ = p.windowLeft < 0 || p.windowLeft > i_ - first ? first : i_ - p.windowLeft;
      end_ = p.windowRight < 0 || p.windowRight >= end - i_ ? end : i_ + p.windowRight + 1;
      if (p.causal != 0) end_ = std::min(end_, i_ + 1);
      load(p.query, i_, h_, p.headDim, scratch_.q);
      for (int64_t j = begin_; j < end_; ++j) scratch_.scores[j] = score(j);
      p.backward != 0 ? backward() : forward();
    }
  }

  double score(int64_t j) const {
    const double product = problem_.scale * dot(scratch_.q, scratch_.k + j * problem_.headDim, problem_.headDim);
    return problem_.slopes == nullptr
               ? product
               : product - static_cast<double>(problem_.slopes[h_]) * static_cast<double>(std::abs(i_ - j));
  }

  void forward() {
    const auto& p = problem_;
    const double sink = p.sinks != nullptr ? static_cast<double>(p.sinks[h_]) : kNothing;
    double largest = sink;
    for (int64_t j = begin_; j < end_; ++j) largest = std::max(largest, scratch_.scores[j]);
    // Infinity cannot be taken off itself, so where it is the largest the limits of the definition stand.
    const double base = std::isinf(largest) ? 0 : largest;
    double sum = std::exp(sink - base);
    for (int64_t j = begin_; j < end_; ++j) sum += std::exp(scratch_.scores[j] - base);
    const double lse = base + std::log(sum);
    std::fill_n(scratch_.o, p.vHeadDim, 0.0);
    for (int64_t j = begin_; j < end_; ++j)
      addScaled(std::exp(scratch_.scores[j] - lse), scratch_.v + j * p.vHeadDim, p.vHeadDim, scratch_.o);
    store(p.output, i_, h_, p.vHeadDim, scratch_.o);
    storeElement(ulyssesFloat32, p.lse.data, rowOf(p.lse, i_, b_, h_), lse);
  }

  void backward() {
    const auto& p = problem_;
    const double lse = loadElement(ulyssesFloat32, p.lse.data, rowOf(p.lse, i_, b_, h_));
    const double delta = loadElement(ulyssesFloat32, p.delta.data, rowOf(p.delta, i_, b_, h_));
    load(p.outputGradient, i_, h_, p.vHeadDim, scratch_.o);
    std::fill_n(scratch_.dq, p.headDim, 0.0);
    for (int64_t j = begin_; j < end_; ++j) {
      const double weight = std::exp(scratch_.scores[j] - lse);
      const double slope = p.scale * weight * (dot(scratch_.o, scratch_.v + j * p.vHeadDim, p.vHeadDim) - delta);
      addScaled(weight, scratch_.o, p.vHeadDim, scratch_.dv + j * p.vHeadDim);
      addScaled(slope, scratch_.q, p.headDim, scratch_.dk + j * p.headDim);
      addScaled(slope, scratch_.k + j * p.headDim, p.headDim, scratch_.dq);
    }
    if (p.sinks != nullptr) scratch_.sinks[h_] -= std::exp(static_cast<double>(p.sinks[h_]) - lse) * delta;
    store(p.queryGradient, i_, h_, p.headDim, scratch_.dq);
  }

  void load(const ulyssesLocalTensor_t& from, int64_t s, int64_t h, int64_t dim, double* to) const {
    const int64_t row = rowOf(from, s, b_, h);
    for (int64_t d = 0; d < dim; ++d) to[d] = loadElement(problem_.dtype, from.data, row + d);
  }
  void store(const ulyssesLocalTensor_t& to, int64_t s, int64_t h, int64_t dim, const double* from) const {
    const int64_t row = rowOf(to, s, b_, h);
    for (int64_t d = 0; d < dim; ++d) storeElement(problem_.dtype, to.data, row + d, from[d]);
  }

  const ulyssesLocalAttention_t& problem_;
  const Scratch scratch_;
  int64_t b_ = 0, kv_ = 0, h_ = 0, i_ = 0;  // where it is
  int64_t begin_ = 0, end_ = 0;             // of what token i sees
};

void requireProblem(const ulyssesLocalAttention_t* problem) {
  require(problem != nullptr, "problem is NULL");
  require(problem->size == sizeof *problem, "problem.size={}: this library knows size {}", problem->size,
          sizeof *problem);
  require(problem->kvHeads >= 1 && problem->heads % problem->kvHeads == 0,
          "problem.heads={} kvHeads={}: want a multiple of kvHeads", problem->heads, problem->kvHeads);
  const size_t needed = ulyssesAttentionOracleWorkspace(problem, nullptr);
  require(problem->workspaceBytes >= needed, "problem.workspaceBytes={}: want at least {}", problem->workspaceBytes,
          needed);
}

}  // namespace
}  // namespace ulysses::attention

using namespace ulysses::attention;

extern "C" {

size_t ulyssesAttentionOracleWorkspace(const ulyssesLocalAttention_t* problem, void*) {
  return static_cast<size_t>(Scratch(*problem, nullptr).count) * sizeof(double);
}

ulyssesResult_t ulyssesAttentionOracle(const ulyssesLocalAttention_t* problem, void*) {
  return guard([&] {
    requireProblem(problem);
    Oracle(*problem).run();
  });
}

}  // extern "C"
