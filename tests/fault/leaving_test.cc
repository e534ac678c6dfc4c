// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row C11 of the fault matrix: a program that leaves, or wants to, while operations are in flight.
#include <dlfcn.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3, kVictim = 1;

void surviveLeaving(Rank& rank, ulyssesComm_t comm) {
  rank.expectResult(loopUntilFailure(rank, comm, Load::Registered), ulyssesRemoteLost, "a rank left");
  rank.note(lastError());
  rank.expectText(lastError(), {"rank 1 was lost: pid ", "died", " op "}, "a rank left");
  goOnWithout(rank, comm, kRanks - 1);
}

void expectNamed(const Team& team, const std::string& how) {
  int named = 0;
  for (const int rank : {0, 2})
    for (const std::string& text : team.notes(rank)) named += text.find(how) != std::string::npos;
  EXPECT_TRUE(named > 0 || !kernelTellsExits()) << "nobody was told '" << how << "'";
}

/// The victim exchanges, starts operations that nobody waits for, and leaves main.
void leaveWithOutstanding(bool progressThread) {
  Team team(kRanks, [=](Rank& rank) {
    if (progressThread) setenv("ULYSSES_PROGRESS_THREAD", "1", 1);
    const ulyssesComm_t comm = rank.join(20'000);
    if (rank.rank() != kVictim) return surviveLeaving(rank, comm);
    // Never destroyed: their memory must stay while operations are under way, also while the program's static objects
    // go.
    static Trial* const trials[2] = {new Trial(kVictim, kRanks, {.registered = true}), new Trial(kVictim, kRanks)};
    for (int round = 0; round < 3; ++round) rank.expectNone(trials[0]->exchange(comm, round), "before");
    for (int i = 0; i < 2; ++i) {
      ulyssesRequest_t request{};
      trials[i]->reset(3 + i);
      rank.expectResult(trials[i]->start(comm, &request), ulyssesSuccess, "start");
    }
    std::exit(0);
  });
  team.expectEnd(kVictim, 0, 0);
  team.expectRight();
  expectNamed(team, "exited with code 0");
}

TEST(Leaving, ExitWithOutstandingOperations) { leaveWithOutstanding(false); }
TEST(Leaving, ExitWhileTheProgressThreadMovesThem) { leaveWithOutstanding(true); }

ulyssesComm_t commOfHandler = nullptr;

/// A handler that the program registered before it first called the library runs after the library's own.
TEST(Leaving, DestroyInAnExitHandler) {
  Team team(2, [](Rank& rank) {
    std::atexit([] {
      if (ulyssesCommDestroy(commOfHandler) != ulyssesSuccess) _exit(3);
    });
    setenv("ULYSSES_PROGRESS_THREAD", "1", 1);
    commOfHandler = rank.join(10'000);
    rank.expectNone(exchangeOn(commOfHandler), "exchange");
    rank.meet();
    std::exit(0);
  });
  team.expectRight();
}

/// Nobody handles the signal: it is how the process ended, and its peers are told so.
void leaveBySignal(int number) {
  Team team(kRanks, [number](Rank& rank) {
    std::signal(number, SIG_DFL);  // a shell starts what it runs in the background with SIGINT ignored
    const ulyssesComm_t comm = rank.join(20'000);
    if (rank.rank() != kVictim) return surviveLeaving(rank, comm);
    (void)loopUntilFailure(rank, comm, Load::Private);
    rank.expect(false, "the victim lives");
  });
  ASSERT_TRUE(team.allReached(3));
  team.signal(kVictim, number);
  team.expectEnd(kVictim, number);
  team.expectRight();
  expectNamed(team, "killed by signal " + std::to_string(number));
}

TEST(Leaving, SigtermUnhandled) { leaveBySignal(SIGTERM); }
TEST(Leaving, SigintUnhandled) { leaveBySignal(SIGINT); }

sem_t wanted;

/// What a program does on Ctrl-C: the handler wakes a thread, that one aborts, main returns from its call and leaves.
void leaveByHandler(int number) {
  Team team(kRanks, [number](Rank& rank) {
    const ulyssesComm_t comm = rank.join(20'000);
    const Census before = takeCensus();
    rank.expectNone(exchangeOn(comm), "before");
    if (rank.rank() != kVictim) {
      rank.waitFlag(0);  // the victim is out of its call
      rank.expectResult(loopUntilFailure(rank, comm, Load::Private), ulyssesAborted, "a rank aborted");
      rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
      return;
    }
    sem_init(&wanted, 0, 0);
    std::signal(number, [](int) { sem_post(&wanted); });
    std::thread watcher([&] {
      while (sem_wait(&wanted) != 0) continue;
      rank.own().timeNs.store(nowNs());
      if (ulyssesCommAbort(comm) != ulyssesSuccess) rank.raiseFlag(2);
    });
    Trial trial(rank.rank(), kRanks);
    rank.raiseFlag(1);
    rank.expectResult(trial.call(comm), ulyssesAborted, "the call that waited");
    rank.expect(msSince(rank.own().timeNs.load()) < 1000, "it returned late");
    watcher.join();
    rank.expect(rank.sheet().flags[2].load() == 0, "abort failed");
    rank.expect(takeCensus().threads <= before.threads, "a thread is left");
    rank.raiseFlag(0);
  });
  for (int i = 0; i < 4000 && team.sheet().flags[1].load() == 0; ++i) usleep(5000);
  usleep(20'000);  // it is in its call by now, most likely
  team.signal(kVictim, number);
  team.expectRight();
}

TEST(Leaving, SigtermHandled) { leaveByHandler(SIGTERM); }
TEST(Leaving, SigintHandled) { leaveByHandler(SIGINT); }

/// One communicator's life: a thread of rank 0 exchanges on it (`moving`) or waits in it, its main thread aborts.
ulyssesResult_t abortOnce(const Rank& rank, ulyssesComm_t comm, bool moving, int delayUs, double* ms) {
  ulyssesResult_t result = ulyssesSuccess;
  std::string wrong;
  std::atomic<bool> calls{false};
  std::thread caller([&] {
    Trial trial(0, 2, {.registered = true});
    for (int round = 0; result == ulyssesSuccess; ++round) {
      trial.reset(round);
      calls.store(true);
      result = trial.call(comm);
      if (result == ulyssesSuccess && (!moving || !trial.isRight())) wrong = "an exchange that cannot have been right";
    }
  });
  while (!calls.load()) usleep(50);
  usleep(static_cast<useconds_t>(delayUs));
  const std::int64_t start = nowNs();
  rank.expectResult(ulyssesCommAbort(comm), ulyssesSuccess, "abort");
  *ms = msSince(start);
  caller.join();
  rank.expectNone(wrong, "before the abort");
  rank.expect(msSince(start) < 1000, "the other thread returned after " + std::to_string(msSince(start)) + " ms");
  rank.expectResult(ulyssesCommAbort(comm), ulyssesInvalidUsage, "abort again");
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesInvalidUsage, "destroy after abort");
  return result;
}

TEST(Leaving, AbortAHundredTimesInAnOperation) {
  constexpr int kTimes = 100;
  Team team(2, [](Rank& rank) {
    const ulyssesComm_t whole = rank.join(20'000);
    std::mt19937 random(7);
    std::uniform_int_distribution<int> delay(0, 3000);
    std::vector<double> ms;
    int aborted = 0;
    Census before;
    for (int i = 0; i < kTimes; ++i) {
      if (i == 3) before = takeCensus();
      ulyssesComm_t comm = nullptr;
      if (!rank.expectResult(ulyssesCommSplit(whole, 0, rank.rank(), &comm, nullptr), ulyssesSuccess, "split")) return;
      const bool moving = i % 2 == 0;
      if (rank.rank() == 0) {
        const ulyssesResult_t result = abortOnce(rank, comm, moving, delay(random), &ms.emplace_back());
        // Between two calls the handle goes stale under the thread: that is how it learns of it then.
        rank.expect(result == ulyssesAborted || result == ulyssesInvalidUsage, "the other thread: " + nameOf(result));
        aborted += result == ulyssesAborted;
        rank.raiseFlag(0, i + 1);
      } else {
        if (!moving) rank.waitFlag(0, i + 1);
        rank.expectResult(loopUntilFailure(rank, comm, Load::Registered), ulyssesAborted, "the peer");
        rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
      }
    }
    rank.expectNone(exchangeOn(whole), "on the communicator that they came of");
    rank.expectNone(changeSince(before), "left behind");
    if (rank.rank() != 0) return;
    rank.expect(aborted > kTimes / 2, "in an operation only " + std::to_string(aborted) + " times: shows nothing");
    rank.own().timeNs.store(static_cast<std::int64_t>(*std::max_element(ms.begin(), ms.end()) * 1e6));
  });
  team.expectRight(60'000);
  recordFigure("abort_ms_max", static_cast<double>(team.sheet().ranks[0].timeNs.load()) / 1e6);
}

/// One of them releases the handle; the other finds it stale or is told that it was aborted.
TEST(Leaving, TwoThreadsAbortAtOnce) {
  Team team(
      1,
      [](Rank& rank) {
        const Census before = takeCensus();
        for (int i = 0; i < 100; ++i) {
          ulyssesComm_t comm = nullptr;
          rank.expectResult(ulyssesCommInitAll(&comm, 1, nullptr), ulyssesSuccess, "init");
          ulyssesResult_t other = ulyssesSuccess;
          std::thread second([&] { other = ulyssesCommAbort(comm); });
          const ulyssesResult_t own = ulyssesCommAbort(comm);
          second.join();
          // Both may find it before either takes it away.
          const ulyssesResult_t later = std::max(own, other);
          rank.expect(
              std::min(own, other) == ulyssesSuccess && (later == ulyssesSuccess || later == ulyssesInvalidUsage),
              "two aborts: " + nameOf(own) + " and " + nameOf(other));
        }
        rank.expectNone(changeSince(before), "left behind");
      },
      0);
  team.expectRight();
}

/// The library is linked so that it stays: its threads, exit handlers and thread-local state outlive a dlclose.
TEST(Leaving, UnloadedWithCommunicatorsAlive) {
  for (const char* progressThread : {"0", "1"}) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      setenv("ULYSSES_PROGRESS_THREAD", progressThread, 1);
      execl(ULYSSES_TEST_UNLOADS, ULYSSES_TEST_UNLOADS, ULYSSES_TEST_LIBRARY, nullptr);
      _exit(127);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "ULYSSES_PROGRESS_THREAD=" << progressThread << ": exit code " << WEXITSTATUS(status)
                         << ", signal " << WTERMSIG(status) << "; the codes are in tests/fault/unloads.cc";
  }
}

}  // namespace

}  // namespace ulysses::test
