// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "gpu/bench_check.h"
#include "gpu/bench_rows.h"

namespace ulysses::test {
namespace {

constexpr int kExchanges = 400;

/// What a rank launches to make many exchanges.
class ExchangeGraph {
 public:
  explicit ExchangeGraph(BenchRank& rank) : stream_(rank.stream()) {
    const cudaGraph_t graph = capture(rank);
    const cudaError_t result = cudaGraphInstantiate(&exec_, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    check(result, "cudaGraphInstantiate");
  }
  ~ExchangeGraph() { static_cast<void>(cudaGraphExecDestroy(exec_)); }
  ExchangeGraph(const ExchangeGraph&) = delete;
  ExchangeGraph& operator=(const ExchangeGraph&) = delete;

  void upload() const { check(cudaGraphUpload(exec_, stream_), "cudaGraphUpload"); }
  void launch() const { check(cudaGraphLaunch(exec_, stream_), "cudaGraphLaunch"); }

 private:
  /// The capture ends whatever happens, else nothing could be enqueued on the stream.
  static cudaGraph_t capture(BenchRank& rank) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(rank.stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    try {
      for (int i = 0; i < kExchanges; ++i) rank.enqueueExchange();
    } catch (...) {
      if (cudaStreamEndCapture(rank.stream(), &graph) == cudaSuccess) static_cast<void>(cudaGraphDestroy(graph));
      throw;
    }
    check(cudaStreamEndCapture(rank.stream(), &graph), "cudaStreamEndCapture");
    return graph;
  }

  cudaStream_t stream_;
  cudaGraphExec_t exec_ = nullptr;
};

/// All of them are on the device when this returns: what the first launch else puts there might wait for a graph of
/// another rank, which is running and waits for this one.
std::vector<std::unique_ptr<ExchangeGraph>> uploadedGraphs(BenchRanks& ranks) {
  std::vector<std::unique_ptr<ExchangeGraph>> graphs;
  graphs.reserve(static_cast<std::size_t>(ranks.size()));
  for (int rank = 0; rank < ranks.size(); ++rank) graphs.push_back(std::make_unique<ExchangeGraph>(ranks[rank]));
  for (const auto& graph : graphs) graph->upload();
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  return graphs;
}

}  // namespace

void runGraph(CudaRuntime& runtime, const BenchCase& run) {
  BenchRanks ranks(runtime, run);
  BenchCheck outputs(runtime, ranks);
  outputs.require([&] { ranks.exchange(); });
  const auto graphs = uploadedGraphs(ranks);
  const Work replay = [&] {
    for (const auto& graph : graphs) graph->launch();
  };
  outputs.require(replay);
  const Times times = measure(ranks.streams(), {replay});
  ranks.requireNoTrouble();
  const Spread us = spreadOfRounds(times, [&](std::size_t round) { return times[0][round] * 1e3 / kExchanges; });
  std::printf("%s%.0f | %d | %s | %s |\n", startOf(run, times.withLaunches).c_str(),
              static_cast<double>(ranks.bytesWritten()) / 1024, kExchanges, textOf(us, 2).c_str(),
              againstMost(us.middle, kGraphTargetUs).c_str());
}

}  // namespace ulysses::test
