// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Each rank a process, all on one GPU, without MPS: kernels that wait for each other share it by turns. Arenas and
// boards are reached through CUDA IPC.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "gpu_rank.h"
#include "kernels/device/launch.h"

namespace ulysses::test {
namespace {

constexpr int kMaxRanks = 4;
constexpr int kExchanges = 5;

struct Handles {
  cudaIpcMemHandle_t arena, board;
};

/// What the processes share.
struct Meeting {
  pthread_barrier_t barrier;
  Handles handles[kMaxRanks];

  void meet() { pthread_barrier_wait(&barrier); }
};

Meeting* makeMeeting(int nRanks) {
  void* const memory = mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const meeting = new (memory) Meeting;
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&meeting->barrier, &attributes, static_cast<unsigned>(nRanks));
  return meeting;
}

std::byte* open(const cudaIpcMemHandle_t& handle) {
  void* memory = nullptr;
  check(cudaIpcOpenMemHandle(&memory, handle, cudaIpcMemLazyEnablePeerAccess), "cudaIpcOpenMemHandle");
  return static_cast<std::byte*>(memory);
}

/// "" when all exchanges of this process's rank came out right.
std::string runRank(const DeviceCase& run, int rank, Meeting* meeting) {
  const int nRanks = run.nRanks();
  const int blocks = std::min(blocksFor(nRanks), 32);
  GpuRank mine(nRanks, 0u - 2u);
  const DeviceBuffer arena = upload(run.before(rank));
  const GpuWork work(run.work(rank), nRanks);
  check(cudaIpcGetMemHandle(&meeting->handles[rank].arena, arena.data()), "cudaIpcGetMemHandle");
  check(cudaIpcGetMemHandle(&meeting->handles[rank].board, mine.board()), "cudaIpcGetMemHandle");
  meeting->meet();
  std::vector<std::byte*> boards;
  std::vector<device::Segment> segments(static_cast<std::size_t>(nRanks) * DeviceCase::kSegments);
  for (int peer = 0; peer < nRanks; ++peer) {
    boards.push_back(peer == rank ? mine.board() : open(meeting->handles[peer].board));
    std::byte* const theirs = peer == rank ? arena.data() : open(meeting->handles[peer].arena);
    run.describe(peer, theirs, &segments[static_cast<std::size_t>(peer) * DeviceCase::kSegments]);
  }
  mine.join(boards, segments);
  const device::Arguments call = run.call(rank, mine.memory(work.work(), arena.data()));
  std::string difference;
  for (int i = 0; i < kExchanges && difference.empty(); ++i) {
    meeting->meet();
    if (const auto error = device::launchExchange(call, blocks, mine.stream()); !error.empty()) return error;
    check(cudaStreamSynchronize(mine.stream()), "cudaStreamSynchronize");
    difference = differenceOf(arena.data(), run.after(rank));
    check(cudaMemcpy(arena.data(), run.before(rank).data(), run.before(rank).size(), cudaMemcpyHostToDevice),
          "cudaMemcpy");
    if (mine.report().state != 0) difference += " trouble " + std::to_string(mine.report().state);
  }
  meeting->meet();  // nobody frees what others map
  return difference;
}

int childOf(const DeviceCase& run, int rank, Meeting* meeting) {
  std::string text;
  try {
    text = runRank(run, rank, meeting);
  } catch (const std::exception& error) {
    text = error.what();
  }
  if (!text.empty()) std::fprintf(stderr, "rank %d: %s\n", rank, text.c_str());
  return text.empty() ? 0 : 1;
}

class GpuProcesses : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, GpuProcesses, testing::Values(2, 4), testing::PrintToStringParamName());

TEST_P(GpuProcesses, ShareOneDevice) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const DeviceCase run(GetParam(), seed, device::kTilePieces);
    Meeting* const meeting = makeMeeting(GetParam());
    ASSERT_NE(meeting, nullptr);
    std::vector<pid_t> children;  // before this process has anything of CUDA
    for (int rank = 0; rank < GetParam(); ++rank) {
      const pid_t child = fork();
      if (child == 0) {
        alarm(60);  // a barrier of processes has no deadline
        _exit(childOf(run, rank, meeting));
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = -1;
      waitpid(child, &status, 0);
      EXPECT_EQ(status, 0) << "seed " << seed;
    }
    munmap(meeting, sizeof(Meeting));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace ulysses::test
