// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// gpu_bench: the exchange kernels beside copies of the same bytes within the device and the permutation that a user
// would write, in turns, by CUDA events. All ranks are on one GPU, in one process, so what is measured is the kernels
// and the memory, not a link.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include "gpu/bench_ranks.h"
#include "gpu/gemm.h"

namespace ulysses::test {
namespace {

constexpr int kRounds = 11, kWarmup = 3;
constexpr std::int64_t kMostVerified = std::int64_t{128} << 20;  // through host memory, so larger ones take too long

/// Milliseconds from before the first to after the last of what is enqueued on all streams.
float timed(const std::vector<cudaStream_t>& streams, const std::function<void()>& enqueue) {
  cudaEvent_t begin, end, each;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  check(cudaEventCreateWithFlags(&each, cudaEventDisableTiming), "cudaEventCreate");
  check(cudaEventRecord(begin, streams[0]), "cudaEventRecord");
  for (std::size_t i = 1; i < streams.size(); ++i) check(cudaStreamWaitEvent(streams[i], begin), "cudaStreamWaitEvent");
  enqueue();
  for (std::size_t i = 1; i < streams.size(); ++i) {
    check(cudaEventRecord(each, streams[i]), "cudaEventRecord");
    check(cudaStreamWaitEvent(streams[0], each), "cudaStreamWaitEvent");
  }
  check(cudaEventRecord(end, streams[0]), "cudaEventRecord");
  check(cudaEventSynchronize(end), "cudaEventSynchronize");
  float ms = 0;
  check(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
  for (cudaEvent_t event : {begin, end, each}) cudaEventDestroy(event);
  return ms;
}

float median(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

using Work = std::function<void()>;

/// Medians of all, in turns, so that each has the same machine.
std::vector<float> measure(const std::vector<cudaStream_t>& streams, const std::vector<Work>& works) {
  std::vector<std::vector<float>> times(works.size());
  for (int round = 0; round < kRounds + kWarmup; ++round)
    for (std::size_t i = 0; i < works.size(); ++i) {
      const float ms = timed(streams, works[i]);
      if (round >= kWarmup) times[i].push_back(ms);
    }
  std::vector<float> medians;
  for (const std::vector<float>& each : times) medians.push_back(median(each));
  return medians;
}

class Copy {
 public:
  Copy(CudaRuntime& runtime, std::int64_t bytes)
      : bytes_(static_cast<std::size_t>(bytes)),
        from_(runtime, runtime.allocate(bytes)),
        to_(runtime, runtime.allocate(bytes)) {}
  void enqueue(cudaStream_t stream) const {
    check(cudaMemcpyAsync(to_.data(), from_.data(), bytes_, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
  }

 private:
  std::size_t bytes_;
  DeviceMemory from_, to_;
};

/// Both are right only if they agree: their plans have nothing in common.
void requireSame(BenchRanks& ranks, const char* name) {
  const auto outputsOf = [&](auto&& enqueue) {
    for (int rank = 0; rank < ranks.size(); ++rank) ranks[rank].clearOutputs();
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    enqueue();
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    std::vector<std::vector<std::byte>> all;
    for (int rank = 0; rank < ranks.size(); ++rank) all.push_back(ranks[rank].outputs());
    return all;
  };
  for (int rank = 0; rank < ranks.size(); ++rank) ranks[rank].fillInputs(static_cast<unsigned>(rank) + 1);
  if (outputsOf([&] { ranks.exchange(); }) != outputsOf([&] { ranks.permute(); }))
    throw std::runtime_error(std::string(name) + ": exchange and permutation differ");
}

void run(CudaRuntime& runtime, const BenchCase& run) {
  BenchRanks ranks(runtime, run);
  const bool permutes = run.tensors != BenchTensors::kSum;
  if (permutes && ranks.bytesWritten() <= kMostVerified) requireSame(ranks, run.name);
  const Copy copy(runtime, ranks.bytesWritten());
  std::vector<Work> works = {[&] { ranks.exchange(); }, [&] { copy.enqueue(ranks.streams()[0]); }};
  if (permutes) works.emplace_back([&] { ranks.permute(); });
  const std::vector<float> times = measure(ranks.streams(), works);
  ranks.requireNoTrouble();
  // A copy reads and writes each byte once; sums read more than they write.
  const auto written = static_cast<double>(ranks.bytesWritten());
  const double rate = (static_cast<double>(ranks.bytesRead()) + written) / times[0] / 1e6;
  const double copyRate = 2 * written / times[1] / 1e6;
  std::printf("%-32s %5d %9.2f %9.4f %9.4f %9.0f %9.0f %8.2f", run.name, run.nRanks, written / 1048576, times[0],
              times[1], rate, copyRate, rate / copyRate);
  if (permutes)
    std::printf(" %10.4f %6d %8.2f\n", times[2], ranks.passes(), times[2] / times[0]);
  else
    std::printf(" %10s %6s %8s\n", "-", "-", "-");
  std::fflush(stdout);
}

/// Of one exchange, when a graph of many is replayed.
void runGraph(CudaRuntime& runtime, const BenchCase& run) {
  constexpr int kExchanges = 100;
  BenchRanks ranks(runtime, run);
  std::vector<cudaGraphExec_t> graphs(static_cast<std::size_t>(ranks.size()));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    cudaGraph_t graph;
    const cudaStream_t stream = ranks[rank].stream();
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    for (int i = 0; i < kExchanges; ++i) ranks[rank].enqueueExchange();
    check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&graphs[static_cast<std::size_t>(rank)], graph, 0), "cudaGraphInstantiate");
    check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  const std::vector<float> times = measure(ranks.streams(), {[&] {
                                             for (std::size_t i = 0; i < graphs.size(); ++i)
                                               check(cudaGraphLaunch(graphs[i], ranks.streams()[i]), "cudaGraphLaunch");
                                           }});
  ranks.requireNoTrouble();
  std::printf("%-32s %5d %9.2f %9.2f us an exchange, replay of a graph of %d\n", run.name, run.nRanks,
              static_cast<double>(ranks.bytesWritten()) / 1048576, times[0] * 1e3 / kExchanges, kExchanges);
  for (cudaGraphExec_t graph : graphs) check(cudaGraphExecDestroy(graph), "cudaGraphExecDestroy");
}

/// How much of the shorter of the two is hidden behind the other, when multiplications run on a stream of their own.
void runBesideGemms(CudaRuntime& runtime, const BenchCase& run) {
  constexpr int kSize = 4096, kGemms = 4, kExchanges = 8;
  BenchRanks ranks(runtime, run);
  const DeviceMemory memory(runtime, runtime.allocate(std::int64_t{3} * kSize * kSize * 4));
  float* const a = memory.as<float>();
  cudaStream_t aside;
  check(cudaStreamCreateWithFlags(&aside, cudaStreamNonBlocking), "cudaStreamCreate");
  const Work multiply = [&] {
    for (int i = 0; i < kGemms; ++i)
      check(launchGemm(a, a + kSize * kSize, a + 2 * kSize * kSize, kSize, aside), "launchGemm");
  };
  const Work exchange = [&] {
    for (int i = 0; i < kExchanges; ++i) ranks.exchange();
  };
  std::vector<cudaStream_t> streams = ranks.streams();
  streams.push_back(aside);
  const std::vector<float> times = measure(streams, {exchange, multiply, [&] {
                                                       multiply();
                                                       exchange();
                                                     }});
  ranks.requireNoTrouble();
  const float hidden = (times[0] + times[1] - times[2]) / std::min(times[0], times[1]);
  std::printf("%-32s %5d  %d exchanges %.3f ms, %d GEMMs %.3f ms, together %.3f ms: %.0f %% hidden\n", run.name,
              run.nRanks, kExchanges, times[0], kGemms, times[1], times[2], hidden * 100);
  check(cudaStreamDestroy(aside), "cudaStreamDestroy");
}

void header() {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  std::printf("# %s, %d multiprocessors; all ranks on it, one process; medians of %d\n", properties.name,
              properties.multiProcessorCount, kRounds);
  std::printf("# %-30s %5s %9s %9s %9s %9s %9s %8s %10s %6s %8s\n", "case", "ranks", "MiB", "ours ms", "copy ms",
              "ours GB/s", "copy GB/s", "of copy", "permute ms", "passes", "x ours");
}

BenchCase byCopyEngine(BenchCase run) {
  run.engine = Engine::CopyEngine;
  return run;
}

void runAll() {
  CudaRuntime runtime;
  header();
  const Operation scatter = Operation::ScatterHeads, gather = Operation::GatherHeads;
  for (const int ranks : {2, 4, 8}) {
    for (const std::int64_t sequence : {8192, 32768, 131072})
      run(runtime, {"scatter sbhd H=32 D=128", scatter, ranks, sequence});
    run(runtime, {"gather sbhd H=32 D=128", gather, ranks, 32768});
    run(runtime,
        {"scatter bshd B=2 H=32 D=128", scatter, ranks, 32768, 2, 32, 32, 128, BenchTensors::kOne, ulyssesLayoutBSHD});
    run(runtime, {"scatter, 1 head x 64 a rank", scatter, ranks, 131072, 1, ranks, ranks, 64});
    run(runtime, {"qkv 64/8 heads", scatter, ranks, 32768, 1, 64, 8, 128, BenchTensors::kQkv});
    runGraph(runtime, {"scatter, 32 KiB a rank", scatter, ranks, 4 * ranks});
    runGraph(runtime, {"qkv 8/8 heads, 48 KiB a rank", scatter, ranks, 8 * ranks, 1, 8, 8, 128, BenchTensors::kQkv});
  }
  run(runtime, {"sum, 4 replicas", gather, 8, 131072, 1, 32, 2, 128, BenchTensors::kSum});
  for (const int ranks : {2, 4, 8}) {
    for (const std::int64_t sequence : {8192, 131072})  // the first is verified
      run(runtime, byCopyEngine({"scatter sbhd, copy engine", scatter, ranks, sequence}));
    run(runtime,
        byCopyEngine({"qkv 64/8 heads, copy engine", scatter, ranks, 32768, 1, 64, 8, 128, BenchTensors::kQkv}));
  }
  runBesideGemms(runtime, {"beside GEMMs, SM push", scatter, 4, 32768});
  runBesideGemms(runtime, byCopyEngine({"beside GEMMs, copy engine", scatter, 4, 32768}));
}

}  // namespace
}  // namespace ulysses::test

int main() {
  try {
    ulysses::test::runAll();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
