// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row C10 of the fault matrix: a rank forks. The child has no part in the parent's communicators.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

/// Runs `body` in a child of this rank and expects it to end well; what goes wrong there is reported as this rank's.
void inChild(const Rank& rank, const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
#if defined(__SANITIZE_ADDRESS__)
    _exit(0);  // what the parent's threads held is a leak to it, and nobody's
#else
    std::exit(0);  // with all handlers of exit
#endif
  }
  int status = -1;
  rank.expect(child > 0 && waitpid(child, &status, 0) == child, "fork");
  rank.expect(status == 0, "the child ended with status " + std::to_string(status));
}

/// All that a program can do with a communicator, done by a child.
void callEverything(const Rank& rank, ulyssesComm_t comm, ulyssesRequest_t request, void* memory) {
  const auto refused = [&](ulyssesResult_t result, const std::string& what) {
    rank.expectResult(result, ulyssesInvalidUsage, "in the child: " + what);
  };
  Trial trial(rank.rank(), rank.nRanks());
  refused(trial.call(comm), "exchange");
  rank.expectText(lastError(), {"forked"}, "in the child");
  ulyssesRequest_t other{};
  refused(trial.start(comm, &other), "start");
  int n = 0;
  refused(ulyssesWait(&request), "wait");
  refused(ulyssesCommCount(comm, &n), "count");
  ulyssesResult_t async = ulyssesSuccess;
  refused(ulyssesCommGetAsyncError(comm, &async), "async error");
  ulyssesComm_t made = nullptr;
  refused(ulyssesCommSplit(comm, 0, 0, &made, nullptr), "split");
  refused(ulyssesCommShrink(comm, nullptr, 0, &made, nullptr), "shrink");
  refused(ulyssesCommAbort(comm), "abort");
  refused(ulyssesCommDestroy(comm), "destroy");
  rank.expectResult(ulyssesMemFree(memory), ulyssesInvalidArgument, "in the child: free of the parent's memory");
}

TEST(Fork, TheChildIsRefusedAndTheParentGoesOn) {
  Team team(2, [](Rank& rank) {
    const Census before = takeCensus();
    const ulyssesComm_t comm = rank.join(10'000);
    {
      Trial trial(rank.rank(), 2, {.registered = true}), outstanding(rank.rank(), 2);
      rank.expectNone(trial.exchange(comm), "before");
      void* memory = nullptr;
      rank.expectResult(ulyssesMemAlloc(&memory, 4096), ulyssesSuccess, "alloc");
      std::memset(memory, 7, 4096);
      outstanding.reset();
      ulyssesRequest_t request{};
      rank.expectResult(outstanding.start(comm, &request), ulyssesSuccess, "start");
      inChild(rank, [&] { callEverything(rank, comm, request, memory); });
      inChild(rank, [] {});
      rank.expectResult(ulyssesWait(&request), ulyssesSuccess, "wait in the parent");
      rank.expect(outstanding.isRight(), "the outstanding exchange has wrong bytes");
      for (int round = 1; round < 20; ++round) rank.expectNone(trial.exchange(comm, round), "after the children");
      rank.expect(static_cast<const char*>(memory)[4095] == 7, "the parent's memory was emptied");
      rank.expectResult(ulyssesMemFree(memory), ulyssesSuccess, "free in the parent");
    }
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy in the parent");
    rank.expectNone(changeSince(before), "left behind");
  });
  team.expectRight();
}

/// Children are ranks of their own.
TEST(Fork, AChildMakesItsOwnCommunicator) {
  Team team(
      2,
      [](Rank& rank) {
        const ulyssesComm_t comm = rank.join(10'000);
        rank.expectNone(exchangeOn(comm), "parents");
        inChild(rank, [&] {
          ulyssesComm_t own = nullptr;
          rank.expectResult(ulyssesCommInitRank(&own, 2, &rank.id(1), rank.rank()), ulyssesSuccess,
                            "join of the children");
          rank.expectNone(exchangeOn(own), "children");
          void* memory = nullptr;
          rank.expectResult(ulyssesMemAlloc(&memory, 4096), ulyssesSuccess, "alloc in the child");
          rank.expectResult(ulyssesMemFree(memory), ulyssesSuccess, "free in the child");
          rank.expectResult(ulyssesCommDestroy(own), ulyssesSuccess, "destroy in the child");
        });
        rank.expectNone(exchangeOn(comm), "parents afterwards");
        rank.meet();
        (void)ulyssesCommDestroy(comm);
      },
      2);
  team.expectRight();
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // a fork with threads about is not for them
/// While another thread makes and destroys communicators and memory: no lock is held for ever in the child.
TEST(Fork, WhileAThreadIsInside) {
  Team team(1, [](Rank& rank) {
    std::atomic<bool> stop{false};
    std::atomic<int> rounds{0};
    std::thread busy([&] {
      while (!stop.load()) {
        ulyssesComm_t comms[2] = {};
        void* memory = nullptr;
        if (ulyssesCommInitAll(comms, 2, nullptr) != ulyssesSuccess || ulyssesMemAlloc(&memory, 4096) != ulyssesSuccess)
          break;
        (void)ulyssesMemFree(memory);
        for (ulyssesComm_t comm : comms) (void)ulyssesCommDestroy(comm);
        rounds.fetch_add(1);
      }
    });
    while (rounds.load() == 0) usleep(1000);  // what is made once per process is there
    for (int i = 0; i < 100; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        alarm(10);
        ulyssesComm_t comm = nullptr;
        void* memory = nullptr;
        const bool good = ulyssesCommInitAll(&comm, 1, nullptr) == ulyssesSuccess &&
                          ulyssesMemAlloc(&memory, 4096) == ulyssesSuccess &&
                          ulyssesMemFree(memory) == ulyssesSuccess && ulyssesCommDestroy(comm) == ulyssesSuccess;
        _exit(good ? 0 : 1);
      }
      int status = -1;
      if (!rank.expect(waitpid(child, &status, 0) == child && status == 0,
                       "child " + std::to_string(i) + " ended with status " + std::to_string(status)))
        break;
    }
    stop.store(true);
    busy.join();
  });
  team.expectRight();
}
#endif

}  // namespace

}  // namespace ulysses::test
