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
#define EXPECT_CUDA(call) EXPECT_EQ(call, cudaSuccess)

/// The rank's exchange as a graph, and which engine moves its bytes.
Engine capture(RankOnDevice& rank, cudaGraphExec_t* exec) {
  const auto stream = static_cast<cudaStream_t>(rank.device().stream());
  cudaGraph_t graph = nullptr;
  EXPECT_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  const Engine engine = rank.enqueue();
  EXPECT_CUDA(cudaStreamEndCapture(stream, &graph));
  EXPECT_CUDA(cudaGraphInstantiate(exec, graph, 0));
  EXPECT_CUDA(cudaGraphDestroy(graph));
  EXPECT_CUDA(cudaGraphUpload(*exec, stream));  // not while other ranks' graphs wait for this one
  EXPECT_CUDA(cudaStreamSynchronize(stream));
  return engine;
}

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
  for (int rank = 0; rank < kRanks; ++rank)
    ASSERT_EQ(capture(ranks[rank], &graphs[static_cast<std::size_t>(rank)]), GetParam());
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

class Stream {
 public:
  Stream() { EXPECT_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() { EXPECT_CUDA(cudaStreamDestroy(stream_)); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Launches and waits; what was said of it.
std::string replay(cudaGraphExec_t graph) {
  const Stream stream;
  EXPECT_CUDA(cudaGraphLaunch(graph, stream.get()));
  EXPECT_CUDA(cudaStreamSynchronize(stream.get()));
  return takeReplayText();
}

// A12. Its peers are not called for: were they waited for, this would take a minute. Then all memory is gone, and some
// of it is somebody else's.
TEST(DeviceGraphAfterDestroy, MovesNothingAndIsNamed) {
  constexpr int kRanks = 2;
  const DeviceCase run(kRanks, fullSeed(kRanks), 64);
  cudaGraphExec_t graph = nullptr;
  {
    DeviceRanks ranks(run);
    ranks.registerArenas();
    capture(ranks[0], &graph);
    ASSERT_CUDA(cudaGraphLaunch(graph, static_cast<cudaStream_t>(ranks[0].device().stream())));
    ranks[1].enqueue();
    ranks.wait();
    ASSERT_EQ(ranks.difference(), "");
    ranks.restore();
    ranks[0].end().retire();
    EXPECT_NE(replay(graph).find("a CUDA graph launched an exchange of rank 0/2 after"), std::string::npos);
    for (int rank = 0; rank < kRanks; ++rank) EXPECT_EQ(ranks[rank].bytes(), run.before(rank));
  }
  DeviceRanks next(run);
  next.registerArenas();
  EXPECT_NE(replay(graph).find("a CUDA graph launched an exchange of rank 0/2 after"), std::string::npos);
  for (int rank = 0; rank < kRanks; ++rank) EXPECT_EQ(next[rank].bytes(), run.before(rank));
  next.enqueueAll();
  next.wait();
  EXPECT_EQ(next.difference(), "");
  ASSERT_CUDA(cudaGraphExecDestroy(graph));
}

}  // namespace
}  // namespace ulysses::test
