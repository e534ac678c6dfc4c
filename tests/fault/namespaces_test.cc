// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows D7 and E1 to E5 of the fault matrix: ranks of one host in containers. What works is verified with registered and
// with private memory; what does not says why at every rank.
#include "fault/namespaces.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3;
constexpr int kPidFlag = 0;              // and those of the ranks after it
constexpr int kKilledAt = 6, kGoes = 7;  // flags

void exchangeBoth(Rank& rank, ulyssesComm_t comm) {
  for (const bool registered : {true, false}) {
    Trial trial(rank.rank(), kRanks, {.registered = registered});
    for (int round = 0; round < 5; ++round)
      rank.expectNone(trial.exchange(comm, round), registered ? "registered" : "private");
  }
}

void joinExchangeDestroy(Rank& rank) {
  const ulyssesComm_t comm = rank.join(10'000);
  exchangeBoth(rank, comm);
  rank.meet();
  rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
}

/// Ranks 1 and 2 each in namespaces of their own, rank 0 in the test's.
void expectWorks(int flags) {
  if (const std::string why = whyNotUnshare(flags); !why.empty()) GTEST_SKIP() << why;
  Team team(kRanks, [flags](Rank& rank) {
    if (rank.rank() == 0) return joinExchangeDestroy(rank);
    inNamespaces(flags, rank, kPidFlag + rank.rank(), joinExchangeDestroy);
  });
  team.expectRight();
}

TEST(Namespaces, User) { expectWorks(CLONE_NEWUSER); }
TEST(Namespaces, Pid) { expectWorks(CLONE_NEWPID); }
TEST(Namespaces, Ipc) { expectWorks(CLONE_NEWIPC); }
TEST(Namespaces, MountWithOwnDevShm) { expectWorks(CLONE_NEWNS); }
TEST(Namespaces, AllButTheNetwork) {
  expectWorks(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUTS);
}

/// Row E8: nothing to be read of the machine, and no file system to write to.
TEST(Namespaces, EmptySysAndProcAndAReadOnlyRoot) {
  if (const std::string why = whyNotUnshare(CLONE_NEWNS); !why.empty()) GTEST_SKIP() << why;
  Team team(kRanks, [](Rank& rank) {
    inNamespaces(CLONE_NEWNS, rank, kPidFlag + rank.rank(), [](Rank& inner) {
      for (const char* place : {"/sys", "/proc", "/tmp", "/dev/shm"})
        inner.expect(mount("none", place, "tmpfs", MS_RDONLY, nullptr) == 0, std::string("mount over ") + place);
      inner.expect(access("/proc/self", F_OK) != 0, "/proc is still there");
      joinExchangeDestroy(inner);
    });
  });
  team.expectRight();
}

/// Rank 1 dies in a PID namespace of its own, as process 1 there, as all of them are.
TEST(Namespaces, DeathInAnotherPidNamespace) {
  if (const std::string why = whyNotUnshare(CLONE_NEWPID); !why.empty()) GTEST_SKIP() << why;
  double worst = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    Team team(kRanks, [](Rank& rank) {
      inNamespaces(CLONE_NEWPID, rank, kPidFlag + rank.rank(), [](Rank& inner) {
        const ulyssesComm_t comm = inner.join(10'000);
        Trial trial(inner.rank(), kRanks, {.registered = true});
        ulyssesResult_t result = ulyssesSuccess;
        for (int round = 0; result == ulyssesSuccess; ++round) {
          trial.reset(round);
          result = trial.call(comm);
          inner.own().step.fetch_add(1);
        }
        inner.own().timeNs.store(nowNs());
        inner.expectResult(result, ulyssesRemoteLost, "rank 1 was killed");
        inner.expectText(lastError(), {"rank 1 was lost: pid 1 of another PID namespace died"}, "rank 1 was killed");
        inner.expect(lastError().find("pid 0") == std::string::npos, lastError());
        inner.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
      });
    });
    ASSERT_TRUE(team.allReached(3));
    const std::int64_t killed = nowNs();
    kill(static_cast<pid_t>(team.sheet().flags[kPidFlag + 1].load()), SIGKILL);
    team.expectRight();
    for (const int rank : {0, 2})
      worst = std::max(worst, static_cast<double>(team.sheet().ranks[rank].timeNs.load() - killed) / 1e6);
  }
  EXPECT_LT(worst,
            1000.0);  // by the death, not by the deadline; how soon is a figure, and depends on the machine's load
  RecordProperty("detect_ms_max", std::to_string(worst));
  std::printf("SIGKILL in another PID namespace to error: max %.2f ms of 10\n", worst);
}

/// From a PID namespace that encloses it the number that counts here is shown, and its own beside.
TEST(Namespaces, SilenceInAnInnerPidNamespace) {
  if (const std::string why = whyNotUnshare(CLONE_NEWPID); !why.empty()) GTEST_SKIP() << why;
  Team team(2, [](Rank& rank) {
    const auto body = [](Rank& inner) {
      const ulyssesComm_t comm = inner.join(400);
      if (inner.rank() == 1) return inner.waitFlag(kGoes);
      Trial trial(0, 2);
      inner.expectResult(trial.call(comm), ulyssesTimeout, "rank 1 does not call");
      inner.expectText(lastError(), {"rank 1 (pid ", " (1 in its PID namespace), alive"}, "rank 1 does not call");
      inner.raiseFlag(kGoes);
    };
    if (rank.rank() == 0) return body(rank);
    inNamespaces(CLONE_NEWPID, rank, kPidFlag + 1, body);
  });
  team.expectRight();
}

/// Row E8: sockets of another user are no rank's, and all ranks are told so.
TEST(Namespaces, AnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  Team team(kRanks, [](Rank& rank) {
    constexpr uid_t kNobody = 65534;
    if (rank.rank() == 1) rank.expect(setresuid(kNobody, kNobody, kNobody) == 0, "setresuid");
    ulyssesComm_t comm = nullptr;
    const std::int64_t start = nowNs();
    rank.expectResult(ulyssesCommInitRank(&comm, kRanks, &rank.id(), rank.rank()), ulyssesSystemError, "two users");
    rank.expectText(lastError(), {"as user 65534", "as user 0", "run all ranks as one user"}, "two users");
    rank.expect(msSince(start) < 5000, "told late");
  });
  team.expectRight();
}

bool shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

/// This process in a network of its own while it lives.
class OwnNetwork {
 public:
  OwnNetwork() : before_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    entered_ = unshare(CLONE_NEWNET) == 0 && shell("ip link set lo up");
  }
  ~OwnNetwork() {
    if (before_ >= 0) (void)setns(before_, CLONE_NEWNET);
    close(before_);
    unsetenv("ULYSSES_INTERFACE");
  }
  bool entered() const { return entered_; }

 private:
  int before_;
  bool entered_ = false;
};

/// UCX looks for interfaces in /sys, which shows those of the network that it was mounted in.
bool mountOwnSys() {
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0;
}

/// Two ranks, each in a network of its own, joined by a veth pair over which the rendezvous is reached. Skips where
/// that cannot be had. How long it took from when they could reach each other, or -1.
double acrossNetworks(const Team::Body& body) {
  const OwnNetwork network;
  if (!network.entered() || !shell("ip link add ulya type veth peer name ulyb && ip addr add 10.77.0.1/24 dev ulya && "
                                   "ip link set ulya up"))
    return -1;
  setenv("ULYSSES_INTERFACE", "ulya", 1);
  Team team(2, [&body](Rank& rank) {
    if (rank.rank() == 1) {
      rank.expect(unshare(CLONE_NEWNET) == 0, "unshare");
      rank.raiseFlag(kPidFlag, getpid());
      rank.waitFlag(kGoes);
      rank.expect(shell("ip addr add 10.77.0.2/24 dev ulyb && ip link set ulyb up && ip link set lo up"), "veth");
    }
    rank.expect(mountOwnSys(), "mount");
    setenv("UCX_TLS", "tcp,self", 1);  // these networks share memory that UCX would take
    body(rank);
  });
  for (int i = 0; i < 2000 && team.sheet().flags[kPidFlag].load() == 0; ++i) usleep(1000);
  EXPECT_TRUE(shell("ip link set ulyb netns " + std::to_string(team.pid(1))));
  const std::int64_t start = nowNs();
  team.sheet().flags[kGoes].store(1);
  team.expectRight();
  return msSince(start);
}

constexpr const char* kNoNetworks = "no network namespace, no ip command or no veth";

void expectNotSupported(Rank& rank, const std::vector<std::string>& texts) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.init_timeout_ms = 10'000;
  ulyssesComm_t comm = nullptr;
  const ulyssesResult_t result = ulyssesCommInitRankConfig(&comm, 2, &rank.id(), rank.rank(), &config);
  rank.expectResult(result, ulyssesNotSupported, "two networks");
  rank.expectText(lastError(), {"rank 0 is on host ", "rank 1 is on host "}, "two networks");
  rank.expectText(lastError(), texts, "two networks");
}

#ifdef ULYSSES_HAVE_UCX
/// They are hosts to each other: what one cannot map comes over the network.
TEST(Namespaces, DifferentNetworks) {
  const double ms = acrossNetworks([](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    for (const bool registered : {true, false}) {
      Trial trial(rank.rank(), 2, {.registered = registered});
      for (int round = 0; round < 5; ++round)
        rank.expectNone(trial.exchange(comm, round), registered ? "registered" : "private");
    }
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  if (ms < 0) GTEST_SKIP() << kNoNetworks;
}

/// The rendezvous is reached, but UCX was given an interface that leads nowhere.
TEST(Namespaces, DifferentNetworksThatUcxDoesNotReach) {
  constexpr std::int64_t kTimeoutMs = 2000;
  const double ms = acrossNetworks([](Rank& rank) {
    setenv("UCX_NET_DEVICES", "lo", 1);
    const ulyssesComm_t comm = rank.join(kTimeoutMs);
    Trial trial(rank.rank(), 2);
    const ulyssesResult_t result = trial.call(comm);
    const std::string peer = "rank " + std::to_string(1 - rank.rank());
    rank.expect(result == ulyssesTimeout || result == ulyssesRemoteLost, ulyssesGetErrorString(result));
    rank.expectText(lastError(), {peer, "on host "}, "no way between them");
    rank.note(lastError());
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  if (ms < 0) GTEST_SKIP() << kNoNetworks;
  EXPECT_LT(ms, 2.0 * kTimeoutMs + 2000);
  RecordProperty("told_ms", std::to_string(ms));
}

TEST(Namespaces, DifferentNetworksAndSharedMemoryOnly) {
  const double ms = acrossNetworks([](Rank& rank) {
    setenv("ULYSSES_PATH", "shm", 1);
    expectNotSupported(rank, {"ULYSSES_PATH=shm: unset it"});
  });
  if (ms < 0) GTEST_SKIP() << kNoNetworks;
  EXPECT_LT(ms, 3000.0);
}
#else
TEST(Namespaces, DifferentNetworks) {
  const double ms = acrossNetworks([](Rank& rank) { expectNotSupported(rank, {"need UCX"}); });
  if (ms < 0) GTEST_SKIP() << kNoNetworks;
  EXPECT_LT(ms, 3000.0);
}
#endif

/// The rendezvous is out of reach altogether.
TEST(Namespaces, NoNetwork) {
  if (const std::string why = whyNotUnshare(CLONE_NEWNET); !why.empty()) GTEST_SKIP() << why;
  Team team(1, [](Rank& rank) {
    const ulyssesUniqueId_t& id = rank.id();
    rank.expect(unshare(CLONE_NEWNET) == 0, "unshare");
    ulyssesComm_t comm = nullptr;
    rank.expectResult(ulyssesCommInitRank(&comm, 1, &id, 0), ulyssesSystemError, "no network");
    rank.expectText(lastError(), {"127.0.0.1:", "from no interface", "ULYSSES_INTERFACE"}, "no network");
  });
  team.expectRight();
}

/// Row D7: two ports for the rendezvous and those that call it.
TEST(Namespaces, TwoEphemeralPorts) {
  const OwnNetwork network;
  if (!network.entered()) GTEST_SKIP() << "no network namespace or no ip command";
  std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "40000 40001" << std::flush;
  {
    Team team(1, [](Rank& rank) {
      const ulyssesComm_t comm = rank.join(1000);
      rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "one port to listen, one to call");
    });
    team.expectRight();
  }
  // Both are taken: the third rendezvous is told.
  ulyssesUniqueId_t ids[3];
  std::string text;
  for (ulyssesUniqueId_t& id : ids)
    if (ulyssesGetUniqueId(&id) != ulyssesSuccess) text = lastError();
  EXPECT_EQ(missingFrom(text, {"cannot listen on 127.0.0.1:0 (lo)", "Address already in use", "ip_local_port_range",
                               "ULYSSES_INTERFACE"}),
            "");
}

TEST(Seccomp, CallsThatAreNotNeeded) {
  Team team(kRanks, [](Rank& rank) {
    denySystemCalls({SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_open, SYS_ptrace, SYS_kcmp});
    joinExchangeDestroy(rank);
  });
  team.expectRight();
}

TEST(Seccomp, DeathIsSeenWithoutPidfdOpen) {
  Team team(2, [](Rank& rank) {
    denySystemCalls({SYS_pidfd_open});
    const ulyssesComm_t comm = rank.join(10'000);
    Trial trial(rank.rank(), 2);
    rank.expectNone(trial.exchange(comm), "before");
    rank.own().step.store(1);
    if (rank.rank() == 1) rank.waitFlag(kGoes);  // until it is killed
    trial.reset(1);
    rank.expectResult(trial.call(comm), ulyssesRemoteLost, "rank 1 was killed");
    rank.expectText(lastError(), {"rank 1 was lost: pid ", " died"}, "rank 1 was killed");
    rank.own().timeNs.store(nowNs());
  });
  ASSERT_TRUE(team.allReached(1));
  usleep(50'000);
  const std::int64_t killed = nowNs();
  team.signal(1, SIGKILL);
  team.expectRight();
  EXPECT_LT(static_cast<double>(team.sheet().ranks[0].timeNs.load() - killed) / 1e6, 1000.0);
}

/// Without memfd_create there is no board: every rank is told which rank lacks it.
TEST(Seccomp, NoMemfdAtRankZero) {
  Team team(kRanks, [](Rank& rank) {
    if (rank.rank() == 0) denySystemCalls({SYS_memfd_create});
    ulyssesComm_t comm = nullptr;
    const std::int64_t start = nowNs();
    rank.expectResult(ulyssesCommInitRank(&comm, kRanks, &rank.id(), rank.rank()), ulyssesSystemError, "no memfd");
    rank.expectText(lastError(), {"memfd_create failed", "Operation not permitted"}, "no memfd");
    if (rank.rank() != 0) rank.expectText(lastError(), {"rank 0 (host "}, "no memfd");
    rank.expect(msSince(start) < 5000, "told late");
  });
  team.expectRight();
}

/// Without it at another rank that rank only has no memory of its own to share.
TEST(Seccomp, NoMemfdAtAnotherRank) {
  Team team(2, [](Rank& rank) {
    if (rank.rank() == 1) denySystemCalls({SYS_memfd_create});
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2);
    const ulyssesResult_t result = trial.call(comm);
    rank.expectResult(result, rank.rank() == 1 ? ulyssesSystemError : ulyssesRemoteInvalid, "private memory");
    rank.expectText(lastError(), {"memfd_create failed"}, "private memory");
    void* memory = nullptr;
    if (rank.rank() == 1) rank.expectResult(ulyssesMemAlloc(&memory, 4096), ulyssesSystemError, "ulyssesMemAlloc");
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
