// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernels on a GPU, all ranks in one process on one device. The cases are those of tests/device, which CPUs run.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "kernels/device/launch.h"
#include "single_process.h"

namespace ulysses::test {
namespace {

using device::Trouble;

constexpr std::uint32_t kNearWrap = 0u - 4u;

std::uint64_t cases() {
  const char* const text = std::getenv("ULYSSES_TEST_CASES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 500;
}

Trouble troubleOf(SingleProcess& all, int rank) { return static_cast<Trouble>(all.rank(rank).report().state); }

TEST(GpuExchange, RandomGeometriesAreTheOraclesBits) {
  for (std::uint64_t seed = 0; seed < cases(); ++seed) {
    const int nRanks = static_cast<int>(seed % 8) + 1;
    const DeviceCase run(nRanks, seed, device::kTilePieces);
    SingleProcess all(run, kNearWrap);
    for (int i = 0; i < 3; ++i) {
      if (i != 0) all.restore();
      all.launchAll(i % nRanks);
      all.wait();
      ASSERT_EQ(all.difference(), "") << "seed " << seed << ", exchange " << i << ", " << nRanks << " ranks, "
                                      << toText(run.run().spec);
    }
    for (int rank = 0; rank < nRanks; ++rank) ASSERT_EQ(troubleOf(all, rank), Trouble::kNone) << "seed " << seed;
  }
}

// A graph has no host in it: epochs are counted on the device. One rank's graph is late each time.
TEST(GpuExchange, GraphsReplayWithSkew) {
  constexpr int kRanks = 4;
  const DeviceCase run(kRanks, 3, device::kTilePieces);
  SingleProcess all(run, kNearWrap);
  std::vector<cudaGraphExec_t> graphs(kRanks);
  for (int rank = 0; rank < kRanks; ++rank) {
    cudaGraph_t graph;
    check(cudaStreamBeginCapture(all.rank(rank).stream(), cudaStreamCaptureModeThreadLocal), "begin of the capture");
    all.launch(rank);
    check(cudaStreamEndCapture(all.rank(rank).stream(), &graph), "end of the capture");
    check(cudaGraphInstantiate(&graphs[static_cast<std::size_t>(rank)], graph, 0), "cudaGraphInstantiate");
    check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  for (int i = 0; i < 20; ++i) {
    all.restore();
    for (int k = 0; k < kRanks; ++k) {
      const int rank = (i + k) % kRanks;
      if (k == kRanks - 1) std::this_thread::sleep_for(std::chrono::milliseconds(i % 5));
      check(cudaGraphLaunch(graphs[static_cast<std::size_t>(rank)], all.rank(rank).stream()), "cudaGraphLaunch");
    }
    all.wait();
    ASSERT_EQ(all.difference(), "") << "replay " << i;
  }
  for (cudaGraphExec_t graph : graphs) check(cudaGraphExecDestroy(graph), "cudaGraphExecDestroy");
}

TEST(GpuTrouble, ARankThatStaysAwayIsNamedAndTheGpuGoesOn) {
  constexpr int kRanks = 3;
  const DeviceCase run(kRanks, 3, device::kTilePieces);
  SingleProcess all(run, kNearWrap);
  for (int rank = 0; rank < kRanks; ++rank) all.call(rank).timeoutNs = 100'000'000;
  all.launch(0);
  all.launch(2);
  all.wait();
  int timeouts = 0;
  for (const int rank : {0, 2}) {
    EXPECT_NE(troubleOf(all, rank), Trouble::kNone);
    EXPECT_EQ(all.rank(rank).report().peer, 1);
    timeouts += troubleOf(all, rank) == Trouble::kTimeout;
    EXPECT_EQ(differenceOf(all.arena(rank), run.before(rank)), "");
  }
  EXPECT_GE(timeouts, 1);
  all.launch(1);  // too late
  all.wait();
  EXPECT_EQ(troubleOf(all, 1), Trouble::kRevoked);
  for (int rank = 0; rank < kRanks; ++rank) EXPECT_EQ(differenceOf(all.arena(rank), run.before(rank)), "");
}

TEST(GpuTrouble, AnotherCallIsAMismatchBeforeAByteMoves) {
  constexpr int kRanks = 3;
  const DeviceCase run(kRanks, 3, device::kTilePieces);
  SingleProcess all(run, kNearWrap);
  all.call(2).letter.callHash = 43;
  for (int rank = 0; rank < kRanks; ++rank) all.launch(rank);
  all.wait();
  bool named = false;
  for (int rank = 0; rank < kRanks; ++rank) {
    EXPECT_NE(troubleOf(all, rank), Trouble::kNone);
    named = named || troubleOf(all, rank) == Trouble::kMismatch;
    EXPECT_EQ(differenceOf(all.arena(rank), run.before(rank)), "");
  }
  EXPECT_TRUE(named);
}

}  // namespace
}  // namespace ulysses::test
