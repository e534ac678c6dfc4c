// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row A12 of the fault matrix: legal calls at the wrong time. InvalidUsage, never a crash.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "fault/local_ranks.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

/// Every function that takes a communicator, on a handle that is none.
void expectNoCommunicator(ulyssesComm_t comm) {
  int number = 0;
  ulyssesResult_t state = ulyssesSuccess;
  ulyssesPathInfo_t path;
  char byte = 0;
  void* handle = nullptr;
  ulyssesRequest_t request = {};
  const Trial trial(0, 2);
  EXPECT_EQ(trial.call(comm), ulyssesInvalidUsage);
  EXPECT_EQ(trial.start(comm, &request), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommCount(comm, &number), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommUserRank(comm, &number), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommGetAsyncError(comm, &state), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommGetPath(comm, 0, &path), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommRegister(comm, &byte, 1, &handle), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommDeregister(comm, &handle), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesRefuse(ulyssesOpScatterHeads, ulyssesOutOfMemory, "none", comm), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommAbort(comm), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesInvalidUsage);
  EXPECT_EQ(missingFrom(lastError(), {"not a communicator", "destroyed or aborted before"}), "");
  EXPECT_STRNE(ulyssesGetLastError(comm), "");
}

TEST(Usage, AfterDestroy) {
  ulyssesComm_t comms[2];
  ASSERT_EQ(ulyssesCommInitAll(comms, 2, nullptr), ulyssesSuccess);
  for (ulyssesComm_t comm : comms) ASSERT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
  expectNoCommunicator(comms[0]);
  ulyssesComm_t others[2];  // takes the same places
  ASSERT_EQ(ulyssesCommInitAll(others, 2, nullptr), ulyssesSuccess);
  expectNoCommunicator(comms[0]);
  expectNoCommunicator(comms[1]);
  for (ulyssesComm_t comm : others) EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
}

TEST(Usage, AfterAbort) {
  ulyssesComm_t comms[2];
  ASSERT_EQ(ulyssesCommInitAll(comms, 2, nullptr), ulyssesSuccess);
  ASSERT_EQ(ulyssesCommAbort(comms[1]), ulyssesSuccess);
  expectNoCommunicator(comms[1]);
  Trial trial(0, 2);
  EXPECT_EQ(trial.call(comms[0]), ulyssesAborted);
  EXPECT_EQ(missingFrom(lastError(), {"rank 1", std::to_string(getpid()), "aborted"}), "");
  EXPECT_EQ(ulyssesCommDestroy(comms[0]), ulyssesSuccess);
}

TEST(Usage, AsyncErrorHasItsText) {
  ulyssesComm_t comms[2];
  ASSERT_EQ(ulyssesCommInitAll(comms, 2, nullptr), ulyssesSuccess);
  ASSERT_EQ(ulyssesCommAbort(comms[1]), ulyssesSuccess);
  ulyssesResult_t state = ulyssesSuccess;
  EXPECT_EQ(ulyssesCommGetAsyncError(comms[0], &state), ulyssesSuccess);
  EXPECT_EQ(state, ulyssesAborted);
  EXPECT_EQ(missingFrom(lastError(comms[0]), {"rank 1", "aborted"}), "") << "the first cause, without another call";
  EXPECT_EQ(ulyssesCommDestroy(comms[0]), ulyssesSuccess);
}

/// A layer above that cannot make its call: peers have its reason at once, and all go on.
TEST(Usage, RefusalIsToldToPeers) {
  const LocalRanks ranks(3, 20'000);
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Trial trial(rank, 3);
    const std::int64_t start = nowNs();
    if (rank == 1) {
      EXPECT_EQ(ulyssesRefuse(ulyssesOpScatterHeads, ulyssesInvalidUsage, "no cheese", comm), ulyssesSuccess);
    } else {
      trial.reset();
      EXPECT_EQ(trial.call(comm), ulyssesRemoteInvalid);
      EXPECT_EQ(missingFrom(lastError(), {"rank 1", "InvalidUsage", "no cheese"}), "");
    }
    EXPECT_LT(msSince(start), 5000);
    EXPECT_EQ(trial.exchange(comm), "") << "rank " << rank;
  });
}

TEST(Usage, RefusalWithBadArguments) {
  const LocalRanks ranks(2);
  const auto refuse = [&](int op, int result, const char* reason) {
    const ulyssesResult_t got =
        ulyssesRefuse(static_cast<ulyssesOp_t>(op), static_cast<ulyssesResult_t>(result), reason, ranks.comm(0));
    EXPECT_EQ(got, ulyssesInvalidArgument);
    return lastError();
  };
  EXPECT_EQ(missingFrom(refuse(2, 1, "x"), {"op=2"}), "");
  EXPECT_EQ(missingFrom(refuse(0, 0, "x"), {"result=0"}), "");
  EXPECT_EQ(missingFrom(refuse(0, 14, "x"), {"result=14"}), "");
  EXPECT_EQ(missingFrom(refuse(0, 1, nullptr), {"reason is NULL"}), "");
  ranks.expectUsable();
}

/// In a process of its own: the wrong answer is a crash.
TEST(Usage, MadeUpHandles) {
  const LocalRanks ranks(2);  // the table of handles is there
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    int local = 0, count = 0, wrong = 0;
    for (std::uintptr_t value = 1; value < 600; ++value)
      wrong += ulyssesCommCount(reinterpret_cast<ulyssesComm_t>(value), &count) != ulyssesInvalidUsage;
    for (const std::uintptr_t value : {reinterpret_cast<std::uintptr_t>(&local), ~std::uintptr_t{0},
                                       std::uintptr_t{0xdeadbeef}, reinterpret_cast<std::uintptr_t>(&getpid)})
      wrong += ulyssesCommCount(reinterpret_cast<ulyssesComm_t>(value), &count) != ulyssesInvalidUsage;
    wrong += ulyssesCommCount(nullptr, &count) != ulyssesInvalidArgument;
    _exit(wrong == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status)) << "crashed: signal " << WTERMSIG(status);
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : 0, 0) << "a made-up handle was taken for a communicator";
}

TEST(Usage, TwoThreadsAtOnceAreDetected) {
  const LocalRanks ranks(2, 5000);
  std::atomic<bool> waiting{false}, tried{false};
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Trial trial(rank, 2);
    if (rank == 1) {
      while (!waiting.load()) std::this_thread::yield();
      usleep(50'000);  // rank 0 is inside its call by now
      Trial other(0, 2);
      ulyssesRequest_t request = {};
      EXPECT_EQ(other.call(ranks.comm(0)), ulyssesInvalidUsage);
      EXPECT_EQ(missingFrom(lastError(), {"in use by another thread", "must not overlap"}), "");
      EXPECT_EQ(other.start(ranks.comm(0), &request), ulyssesInvalidUsage);
      EXPECT_EQ(ulyssesCommDestroy(ranks.comm(0)), ulyssesInvalidUsage);
      EXPECT_EQ(missingFrom(lastError(), {"in use by another thread", "ulyssesCommAbort"}), "");
      tried.store(true);
    }
    waiting.store(true);
    EXPECT_EQ(trial.exchange(comm), "") << "rank " << rank;
    EXPECT_TRUE(tried.load());
  });
}

/// Autograd runs backward on another thread: one call at a time from any of them is legal.
TEST(Usage, ThreadsInTurnAreLegal) {
  constexpr int kThreads = 4, kRounds = 25;
  const LocalRanks ranks(2, 10'000);
  std::mutex turns[2];
  int rounds[2] = {0, 0};
  ranks.run([&](int rank, ulyssesComm_t comm) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&, rank, comm] {
        Trial trial(rank, 2);
        for (int round = 0; round < kRounds; ++round) {
          const std::lock_guard lock(turns[rank]);
          EXPECT_EQ(trial.exchange(comm, rounds[rank]++), "") << "rank " << rank;
        }
      });
    for (std::thread& thread : threads) thread.join();
  });
}

TEST(Usage, NineOutstanding) {
  constexpr int kMost = 8;
  const LocalRanks ranks(2, 5000);
  ranks.run([](int rank, ulyssesComm_t comm) {
    for (int round = 0; round < 3; ++round) {
      std::vector<std::unique_ptr<Trial>> trials;
      std::vector<ulyssesRequest_t> requests(kMost + 1);
      for (int i = 0; i <= kMost; ++i) trials.push_back(std::make_unique<Trial>(rank, 2));
      for (std::size_t i = 0; i < kMost; ++i) {
        trials[i]->reset(static_cast<int>(i));
        ASSERT_EQ(trials[i]->start(comm, &requests[i]), ulyssesSuccess) << lastError();
      }
      ASSERT_EQ(trials[kMost]->start(comm, &requests[kMost]), ulyssesInvalidUsage);
      EXPECT_EQ(missingFrom(lastError(), {"8 operations are outstanding", "wait for request"}), "");
      EXPECT_EQ(requests[kMost].comm, 0u) << "a refused start has no request";
      for (std::size_t i = 0; i < kMost; ++i) {
        EXPECT_EQ(ulyssesWait(&requests[i]), ulyssesSuccess) << lastError();
        EXPECT_TRUE(trials[i]->isRight()) << "operation " << i;
      }
    }
  });
  ranks.expectUsable();
}

TEST(Usage, StaleRequests) {
  LocalRanks ranks(2, 5000);
  ulyssesRequest_t copies[2];
  ranks.run([&](int rank, ulyssesComm_t comm) {
    Trial trial(rank, 2);
    ulyssesRequest_t request = {};
    ASSERT_EQ(trial.start(comm, &request), ulyssesSuccess);
    copies[rank] = request;
    EXPECT_EQ(ulyssesWait(&request), ulyssesSuccess) << lastError();
    EXPECT_TRUE(request.comm == 0 && request.sequence == 0) << "becomes null";
    EXPECT_EQ(ulyssesWait(&request), ulyssesSuccess) << "the null request is done";
    int done = 0;
    EXPECT_EQ(ulyssesTest(&request, &done), ulyssesSuccess);
    EXPECT_EQ(done, 1);
    for (const std::uint64_t sequence :
         {copies[rank].sequence, std::uint64_t{0}, std::uint64_t{9}, ~std::uint64_t{0}}) {
      ulyssesRequest_t stale = {copies[rank].comm, sequence};
      EXPECT_EQ(ulyssesWait(&stale), ulyssesInvalidUsage) << sequence;
      EXPECT_EQ(missingFrom(lastError(), {"not outstanding"}), "");
      stale = {copies[rank].comm, sequence};
      EXPECT_EQ(ulyssesTest(&stale, &done), ulyssesInvalidUsage) << sequence;
    }
  });
  ranks.expectUsable();
  ulyssesRequest_t ofNobody = {12345u << 20 | 7, 1};
  EXPECT_EQ(ulyssesWait(&ofNobody), ulyssesInvalidUsage);
  EXPECT_EQ(ulyssesWait(nullptr), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesTest(&ofNobody, nullptr), ulyssesInvalidArgument);
}

}  // namespace

}  // namespace ulysses::test
