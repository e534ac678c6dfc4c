// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention_result.h"

#include <algorithm>

#include "preparation.h"

namespace ulysses::perf {
namespace {

// Multiplications and additions of the tiles that the mask leaves: Q K^T and P V; backward also dO V^T, P^T dO, dS K
// and dS^T Q, and Q K^T once more.
double flopsOf(const Options& options, const Case& test, Pass pass) {
  const auto dim = static_cast<double>(options.headDim), vDim = static_cast<double>(options.valueHeadDim);
  const double perPair = pass == Pass::kForward ? 2 * (dim + vDim) : 2 * (3 * dim + 2 * vDim);
  return perPair * visiblePairs(options, test.sequence) * static_cast<double>(test.batch * test.heads);
}

Options shapesOf(const Options& options) {
  Options shapes = options;
  shapes.backward = false;
  return shapes;
}

}  // namespace

Case attentionCase(const Options& options) { return makeCase(shapesOf(options), options.sequence); }

void checkAttentionMemory(const Options& options, const Case& test) { checkMemory(shapesOf(options), {test}); }

AttentionSchedule attentionSchedule(const Options& options, const Case& test, size_t nPeers) {
  constexpr double kFlopsPerSecond = 5e10, kSeconds = 2;
  constexpr int kRounds = 10;
  double seconds = flopsOf(options, test, Pass::kForward) / kFlopsPerSecond;
  if (options.backward) seconds += flopsOf(options, test, Pass::kBackward) / kFlopsPerSecond;
  const int iterations =
      options.iterations > 0 ? options.iterations : static_cast<int>(std::clamp(kSeconds / (seconds + 1e-9), 5., 200.));
  const int warmups = options.warmups >= 0 ? options.warmups : std::clamp(iterations / 10, 1, 10);
  const int rounds = nPeers == 0 ? 1 : std::min(kRounds, iterations);
  return {std::max(warmups, 1), rounds, std::max(1, iterations / rounds)};  // checks look at what warm-up leaves
}

std::vector<double> slowest(const SharedArea& area, int nRanks, Pass pass, int begin, int count) {
  std::vector<double> times(static_cast<size_t>(count), 0);
  for (int rank = 0; rank < nRanks; ++rank)
    for (int i = 0; i < count; ++i)
      times[static_cast<size_t>(i)] =
          std::max(times[static_cast<size_t>(i)], area.timesUs(static_cast<int>(pass), rank)[begin + i]);
  return times;
}

void summarize(const Options& options, const Case& test, const SharedArea& area, const AttentionSchedule& schedule,
               std::vector<AttentionFigures> figures, AttentionResult& result) {
  for (int pass = 0; pass < (options.backward ? 2 : 1); ++pass) {
    result.times[pass] = summarize(slowest(area, options.ranks, static_cast<Pass>(pass), 0, schedule.iterations()));
    result.flops[pass] = flopsOf(options, test, static_cast<Pass>(pass));
  }
  result.ranks = std::move(figures);
}

int concludeAttention(const Options& options, const Case& test, const AttentionResult& result) {
  printAttention(options, test, result);
  if (!options.jsonFile.empty()) writeAttentionJson(options, test, result);
  return !options.check || isAccurate(options, result) ? 0 : kExitFailure;
}

}  // namespace ulysses::perf
