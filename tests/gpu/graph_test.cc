// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A graph has no host in it: epochs are counted on the device.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "device/device_ranks.h"

namespace ulysses::test {
namespace {

#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess)

class DeviceGraph : public testing::TestWithParam<Engine> {};
INSTANTIATE_TEST_SUITE_P(Engines, DeviceGraph, testing::Values(Engine::Sm, Engine::CopyEngine),
                         [](const auto& test) { return test.param == Engine::Sm ? "sm" : "copy_engine"; });

TEST_P(DeviceGraph, ReplaysWithSkew) {
  constexpr int kRanks = 4;
  const bool copying = GetParam() == Engine::CopyEngine;
  const DeviceCase run(kRanks, copying ? copyingSeed(kRanks) : fullSeed(kRanks), 64,
                       copying ? DeviceCase::Layouts::Windows : DeviceCase::Layouts::Own);
  DeviceRanks ranks(run, 60'000, [&](int) { return copying; });
  ranks.registerArenas(copying);
  std::vector<cudaGraphExec_t> graphs(kRanks);
  for (int rank = 0; rank < kRanks; ++rank) {
    const auto stream = static_cast<cudaStream_t>(ranks[rank].device().stream());
    cudaGraph_t graph;
    ASSERT_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    ASSERT_EQ(ranks[rank].enqueue(), GetParam());
    ASSERT_CUDA(cudaStreamEndCapture(stream, &graph));
    ASSERT_CUDA(cudaGraphInstantiate(&graphs[static_cast<std::size_t>(rank)], graph, 0));
    ASSERT_CUDA(cudaGraphDestroy(graph));
  }
  for (int i = 0; i < 20; ++i) {
    ranks.restore();
    for (int k = 0; k < kRanks; ++k) {
      const int rank = (i + k) % kRanks;
      if (k == kRanks - 1) std::this_thread::sleep_for(std::chrono::milliseconds(i % 5));  // one is late each time
      ASSERT_CUDA(cudaGraphLaunch(graphs[static_cast<std::size_t>(rank)],
                                  static_cast<cudaStream_t>(ranks[rank].device().stream())));
    }
    ranks.wait();
    ASSERT_EQ(ranks.difference(), "") << "replay " << i;
  }
  for (cudaGraphExec_t graph : graphs) ASSERT_CUDA(cudaGraphExecDestroy(graph));
}

}  // namespace
}  // namespace ulysses::test
