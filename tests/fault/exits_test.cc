// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows C3, C4 and C9 of the fault matrix: the ways in which a process ends that are not kill -9 by hand.
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "fault/census.h"
#include "fault/figures.h"
#include "fault/memory_group.h"
#include "fault/survivors.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3, kVictim = 1;

/// The victim exchanges a few times and ends by `end`; the others are told how, as far as the kernel says, and go on.
void endBy(const std::function<void(Rank&)>& end, int signal, int code, const std::string& how,
           const std::function<void(Team&)>& meanwhile = {}) {
  Team team(kRanks, [&](Rank& rank) {
    const ulyssesComm_t comm = rank.join(20'000);
    if (rank.rank() == kVictim) {
      Trial trial(rank.rank(), kRanks, {.registered = true});
      for (int round = 0; round < 5; ++round) rank.expectNone(trial.exchange(comm, round), "before the end");
      rank.own().timeNs.store(nowNs());
      end(rank);
      rank.expect(false, "the victim lives");
      return;
    }
    rank.expectResult(loopUntilFailure(rank, comm, Load::Registered), ulyssesRemoteLost, "a rank ended");
    rank.raiseFlag(rank.rank(), rank.own().timeNs.load());
    rank.note(lastError());
    rank.expectText(lastError(), {"rank 1 was lost: pid ", "died", " op "}, "a rank ended");
    goOnWithout(rank, comm, kRanks - 1);
  });
  if (meanwhile) meanwhile(team);
  team.expectEnd(kVictim, signal, code);
  team.expectRight();
  std::vector<double> ms;
  int named = 0;
  for (const int rank : {0, 2}) {
    ms.push_back(static_cast<double>(team.sheet().flags[rank].load() - team.sheet().ranks[kVictim].timeNs.load()) /
                 1e6);
    for (const std::string& text : team.notes(rank)) named += text.find(how) != std::string::npos;
  }
  EXPECT_TRUE(named > 0 || !kernelTellsExits()) << "nobody was told '" << how << "'";
  recordTimes("detect_ms", ms);
}

TEST(Exit, WithCodeZero) {
  endBy([](Rank&) { std::exit(0); }, 0, 0, "exited with code 0");
}

TEST(Exit, AtOnceWithACode) {
  endBy([](Rank&) { _exit(9); }, 0, 9, "exited with code 9");
}

[[noreturn]] void throwOne() { throw std::runtime_error("of the program"); }

void throwThroughNoexcept() noexcept {
  if (std::freopen("/dev/null", "w", stderr) != nullptr) throwOne();  // quiet: terminate says what it was
}

TEST(Exit, AnExceptionThatNobodyCatches) {
  endBy([](Rank&) { throwThroughNoexcept(); }, SIGABRT, 0, "killed by signal 6");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which handle these signals themselves

TEST(Crash, SegmentationFault) {
  endBy([](Rank&) { *const_cast<volatile int*>(static_cast<int*>(nullptr)) = 1; }, SIGSEGV, 0, "killed by signal 11");
}

Sheet* sheetOfHandler = nullptr;

void handler(int) {
  sheetOfHandler->flags[5].store(1);
  _exit(77);
}

/// The library installs no handler and blocks no signal: the program's runs.
TEST(Crash, TheProgramsHandlerRuns) {
  endBy(
      [](Rank& rank) {
        sheetOfHandler = &rank.sheet();
        std::signal(SIGSEGV, handler);
        *const_cast<volatile int*>(static_cast<int*>(nullptr)) = 1;
      },
      0, 77, "exited with code 77",
      [](Team& team) {
        while (team.sheet().flags[5].load() == 0 && team.sheet().ranks[0].text[0] == 0) usleep(1000);
        EXPECT_EQ(team.sheet().flags[5].load(), 1) << "the handler did not run";
      });
}

TEST(Crash, NoDispositionIsChanged) {
  Team team(2, [](Rank& rank) {
    struct sigaction before[65], after[65];
    sigset_t maskBefore, maskAfter;
    const auto isReal = [&](int i) { return sigaction(i, nullptr, &before[i]) == 0; };  // some are the C library's own
    std::vector<int> numbers;
    for (int i = 1; i < 65; ++i)
      if (isReal(i)) numbers.push_back(i);
    sigprocmask(SIG_SETMASK, nullptr, &maskBefore);
    const ulyssesComm_t comm = rank.join(5000);
    rank.expectNone(exchangeOn(comm), "exchange");
    (void)ulyssesCommDestroy(comm);
    sigprocmask(SIG_SETMASK, nullptr, &maskAfter);
    for (const int i : numbers) {
      sigaction(i, nullptr, &after[i]);
      rank.expect(before[i].sa_handler == after[i].sa_handler, "signal " + std::to_string(i) + " has another handler");
    }
    rank.expect(std::memcmp(&maskBefore, &maskAfter, sizeof maskBefore) == 0, "the signal mask was changed");
  });
  team.expectRight();
}

#endif

TEST(Crash, Abort) {
  endBy([](Rank&) { std::abort(); }, SIGABRT, 0, "killed by signal 6");
}

/// The out-of-memory killer takes the rank in the middle of its program.
TEST(OutOfMemoryKill, OfOneRank) {
  const MemoryGroup group;
  if (!group.usable()) GTEST_SKIP() << "no memory cgroup that this process may make and limit";
  endBy(
      [](Rank& rank) {
        rank.raiseFlag(4);
        rank.waitFlag(3);  // it is in the group
        rank.own().timeNs.store(nowNs());
        constexpr std::size_t kBytes = std::size_t{256} << 20;
        void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) std::memset(memory, 1, kBytes);
      },
      SIGKILL, 0, "killed by signal 9",
      [&](Team& team) {
        while (team.sheet().flags[4].load() == 0) usleep(1000);
        EXPECT_TRUE(group.take(team.pid(kVictim)));
        team.sheet().flags[3].store(1);
      });
}

}  // namespace

}  // namespace ulysses::test
