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

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "device/device_ranks.h"

namespace ulysses::test {
namespace {

constexpr int kMaxRanks = 4;
constexpr int kExchanges = 5;

struct Handles {
  DeviceRuntime::Handle arena, board;
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

/// Connects this process's rank to the others: by pointer its own, by CUDA IPC theirs.
void join(const DeviceCase& run, int rank, RankOnDevice& mine, Meeting* meeting) {
  DeviceRuntime& runtime = mine.device().runtime();
  meeting->handles[rank] = {runtime.exportMemory(mine.arena()), runtime.exportMemory(mine.end().board())};
  meeting->meet();
  std::vector<std::byte*> boards;
  std::vector<device::Segment> arenas;
  for (int peer = 0; peer < run.nRanks(); ++peer) {
    const Handles& theirs = meeting->handles[peer];
    boards.push_back(peer == rank ? mine.end().board() : runtime.openMemory(theirs.board));
    arenas.push_back({peer == rank ? mine.arena() : runtime.openMemory(theirs.arena), std::ssize(run.before(peer))});
  }
  mine.end().connect(boards, run.nRanks());
  mine.end().segments().add(arenas, true);
}

/// "" when all exchanges of this process's rank came out right.
std::string runRank(const DeviceCase& run, int rank, bool copying, Meeting* meeting) {
  RankOnDevice mine(run, rank, 20'000, copying ? copiesOf(run, rank) : CopyChoice());
  join(run, rank, mine, meeting);
  std::string problem;
  for (int i = 0; i < kExchanges && problem.empty(); ++i) {
    meeting->meet();  // all arenas are as before
    mine.enqueue();
    mine.device().wait();
    if (mine.bytes() != run.after(rank)) problem = "wrong bytes in exchange " + std::to_string(i);
    if (const auto trouble = mine.end().trouble()) problem = trouble->text;
    mine.restore();
  }
  meeting->meet();  // nobody frees what others map
  return problem;
}

int childOf(const DeviceCase& run, int rank, bool copying, Meeting* meeting) {
  std::string text;
  try {
    text = runRank(run, rank, copying, meeting);
  } catch (const std::exception& error) {
    text = error.what();
  }
  if (!text.empty()) std::fprintf(stderr, "rank %d: %s\n", rank, text.c_str());
  return text.empty() ? 0 : 1;
}

class GpuProcesses : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Ranks, GpuProcesses, testing::Combine(testing::Values(2, 4), testing::Bool()),
                         [](const auto& test) {
                           return std::to_string(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "_copy_engine" : "_sm");
                         });

TEST_P(GpuProcesses, ShareOneDevice) {
  const auto [nRanks, copying] = GetParam();
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const DeviceCase run(nRanks, seed, 64, copying ? DeviceCase::Layouts::Windows : DeviceCase::Layouts::Own);
    Meeting* const meeting = makeMeeting(nRanks);
    ASSERT_NE(meeting, nullptr);
    std::vector<pid_t> children;  // before this process has anything of CUDA
    for (int rank = 0; rank < nRanks; ++rank) {
      const pid_t child = fork();
      if (child == 0) {
        alarm(60);  // a barrier of processes has no deadline
        _exit(childOf(run, rank, copying, meeting));
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

// ---- rows of the fault matrix (docs/fault_matrix.md)

/// What becomes of rank 1.
enum class Fate { Killed, Stopped };

/// A rank of an exchange in which something happens to rank 1 once its kernel is enqueued, or before it is.
std::string runUntilFate(const DeviceCase& run, int rank, Fate fate, Meeting* meeting) {
  RankOnDevice mine(run, rank, fate == Fate::Killed ? 3'000 : 30'000);
  join(run, rank, mine, meeting);
  meeting->meet();
  if (rank == 1 && fate == Fate::Stopped) raise(SIGSTOP);
  mine.enqueue();
  if (rank == 1 && fate == Fate::Killed) raise(SIGKILL);
  mine.device().wait();
  const auto trouble = mine.end().trouble();
  if (fate == Fate::Stopped) {
    meeting->meet();  // nobody frees what others map
    return trouble ? trouble->text : mine.bytes() != run.after(rank) ? "wrong bytes" : "";
  }
  // Its kernel may have been fast enough to take part; nothing else is an excuse.
  if (!trouble) return mine.bytes() == run.after(rank) ? "" : "wrong bytes and no error";
  return std::string(trouble->text).find("rank 1") != std::string::npos ? "" : trouble->text;
}

int faultyChildOf(const DeviceCase& run, int rank, Fate fate, Meeting* meeting) {
  std::string text;
  try {
    text = runUntilFate(run, rank, fate, meeting);
  } catch (const std::exception& error) {
    text = error.what();
  }
  if (!text.empty()) std::fprintf(stderr, "rank %d: %s\n", rank, text.c_str());
  return text.empty() ? 0 : 1;
}

void expectFate(Fate fate) {
  constexpr int kRanks = 3;
  const DeviceCase run(kRanks, fullSeed(kRanks), 64);
  Meeting* const meeting = makeMeeting(kRanks);
  ASSERT_NE(meeting, nullptr);
  std::vector<pid_t> children;
  for (int rank = 0; rank < kRanks; ++rank) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      _exit(faultyChildOf(run, rank, fate, meeting));
    }
    children.push_back(child);
  }
  int status = -1;
  if (fate == Fate::Stopped) {
    waitpid(children[1], &status, WUNTRACED);
    ASSERT_TRUE(WIFSTOPPED(status));
    usleep(500'000);
    kill(children[1], SIGCONT);
  }
  for (int rank = 0; rank < kRanks; ++rank) {
    waitpid(children[static_cast<std::size_t>(rank)], &status, 0);
    const bool killed = rank == 1 && fate == Fate::Killed;
    EXPECT_TRUE(killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0) << "rank " << rank;
  }
  munmap(meeting, sizeof(Meeting));
}

TEST(GpuFaults, C1_AKilledRankIsNamedAndNoKernelStays) { expectFate(Fate::Killed); }
TEST(GpuFaults, C2_AStoppedRankIsWaitedFor) { expectFate(Fate::Stopped); }

}  // namespace
}  // namespace ulysses::test
