// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Times the fast local attention, causal, 8 heads. Multiplications are counted as in the FlashAttention papers: 4 S S D
// a head forward and 10 backward, half of it under a causal mask. Rates are of wall time; on a loaded machine compare
// the column CPU with one thread.
#include <benchmark/benchmark.h>

#include <cmath>

#include "attention/flash/flash.h"
#include "attention_case.h"

namespace ulysses::attention::test {
namespace {

Tensor filled(Rng& rng, ulyssesDataType_t dtype, int64_t tokens, int64_t heads, int64_t width) {
  Tensor tensor(dtype, {tokens, 1, heads, width});
  tensor.fill([&](auto...) { return static_cast<double>(rng.between(-1000, 1000)) * 1e-3; });
  return tensor;
}

/// Arguments: data type, tokens, head dim, threads, 1 for backward.
void attentionBench(benchmark::State& state) {
  const auto dtype = static_cast<ulyssesDataType_t>(state.range(0));
  const int64_t tokens = state.range(1), width = state.range(2), heads = 8;
  Rng rng(1);
  Case bench{};
  bench.problem.size = sizeof bench.problem;
  bench.problem.sequence = tokens;
  bench.problem.batch = 1;
  bench.problem.heads = bench.problem.kvHeads = heads;
  bench.problem.headDim = bench.problem.vHeadDim = width;
  bench.problem.dtype = dtype;
  bench.problem.scale = 1 / std::sqrt(static_cast<double>(width));
  bench.problem.causal = 1;
  bench.problem.windowLeft = bench.problem.windowRight = ULYSSES_ATTENTION_ANY;
  bench.problem.threads = static_cast<int32_t>(state.range(3));
  for (Tensor* input : {&bench.query, &bench.key, &bench.value, &bench.outputGradient})
    *input = filled(rng, dtype, tokens, heads, width);
  for (Tensor* output : {&bench.output, &bench.queryGradient, &bench.keyGradient, &bench.valueGradient})
    *output = filled(rng, dtype, tokens, heads, width);
  for (Tensor* statistics : {&bench.lse, &bench.delta, &bench.computedLse})
    *statistics = filled(rng, ulyssesFloat32, tokens, heads, 1);
  bench.lse.fill([](auto s, auto...) { return std::log(static_cast<double>(s) + 1); });

  ulyssesLocalAttention_t problem = bench.of(state.range(4) != 0);
  problem.workspaceBytes = flashWorkspaceBytes(problem);
  const AlignedBytes workspace(problem.workspaceBytes);
  problem.workspace = workspace.data();
  for (auto _ : state) {
    if (flashAttention(problem) != ulyssesSuccess) state.SkipWithError("flashAttention failed");
  }
  const double products = (problem.backward ? 5.0 : 2.0) * static_cast<double>(tokens * tokens * width * heads);
  state.counters["FLOP/s"] = benchmark::Counter(products, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(attentionBench)
    ->ArgNames({"type", "S", "D", "threads", "backward"})
    ->ArgsProduct({{ulyssesFloat32, ulyssesBfloat16, ulyssesFloat16}, {512, 4096}, {64, 128}, {1, 2}, {0, 1}})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ulysses::attention::test

BENCHMARK_MAIN();
