// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows F6, F8 and F9 of the fault matrix, beyond hostile_test.cc: strangers while ranks join, what they cost, a
// replayed handshake, and where the rendezvous can be reached.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "comm/bootstrap/wire.h"
#include "fault/census.h"
#include "fault/proxied.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;

double joinMs(const UniqueId& id) {
  std::vector<Outcome> outcomes(kRanks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank)
    threads.emplace_back([&, rank] { outcomes[static_cast<std::size_t>(rank)] = joinFully(id, infoOf(rank, kRanks)); });
  for (std::thread& thread : threads) thread.join();
  double worst = 0;
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.error, "");
    worst = std::max(worst, outcome.ms);
  }
  return worst;
}

void say(const UniqueFd& socket, std::string_view bytes) {
  (void)send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void record(const std::string& name, double value) {
  testing::Test::RecordProperty(name, std::to_string(value));
  std::printf("%s: %.1f\n", name.c_str(), value);
}

void allowDescriptors(rlim_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(std::max(limit.rlim_cur, count), limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(NetHostile, JoinTimeUnderAttack) {
  const std::string tlsHello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  struct Attack {
    const char* name;
    int callers;
    std::string first;
    bool hangsUp;
  };
  const Attack attacks[] = {{"nobody", 0, "", false},
                            {"http", 300, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(400, 'x'), false},
                            {"tls", 300, tlsHello + std::string(512, '\1'), false},
                            {"seven_bytes_and_gone", 300, "ulhello", true},
                            {"thousand_silent", 1000, "", false}};
  allowDescriptors(4096);
  for (const Attack& attack : attacks) {
    const UniqueId id = openRendezvous("127.0.0.1");
    std::vector<UniqueFd> held;
    for (int i = 0; i < attack.callers; ++i) {
      UniqueFd caller = knock(id);
      ASSERT_TRUE(caller) << i;
      say(caller, attack.first);
      if (!attack.hangsUp) held.push_back(std::move(caller));
    }
    const double ms = joinMs(id);
    EXPECT_LT(ms, attack.callers == 1000 ? 12'000.0 : 4000.0) << attack.name;
    record(std::string("join_ms_") + attack.name, ms);
  }
}

/// A byte each 100 ms, for as long as the ranks take: whoever trickles is not taken for one that gets on.
TEST(NetHostile, TricklingCallers) {
  const UniqueId id = openRendezvous("127.0.0.1");
  std::vector<UniqueFd> held;
  for (int i = 0; i < 200; ++i) held.push_back(knock(id));
  std::atomic<bool> stop = false;
  std::thread trickle([&] {
    const std::uint64_t magic = Hello::kMagic;
    for (std::size_t round = 0; !stop.load(); ++round) {
      const char byte = round < sizeof magic ? reinterpret_cast<const char*>(&magic)[round] : 'x';
      for (const UniqueFd& caller : held) say(caller, {&byte, 1});
      usleep(100'000);
    }
  });
  usleep(300'000);
  const double ms = joinMs(id);
  stop.store(true);
  trickle.join();
  EXPECT_LT(ms, 4000.0);
  record("join_ms_trickle", ms);
}

std::int64_t privateBytesOf(pid_t pid) {
  std::ifstream lines("/proc/" + std::to_string(pid) + "/smaps_rollup");  // exact, unlike status
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("Anonymous:", 0) == 0) return std::stoll(line.substr(10)) * 1024;
  return -1;
}

/// What a thousand callers that say the most a stranger may say make the root's process hold.
TEST(NetHostile, MemoryBeforeTheProof) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const UniqueId made = openRendezvous("127.0.0.1");
    (void)!write(ends[1], &made, sizeof made);
    for (;;) pause();
  }
  UniqueId id;
  ASSERT_EQ(read(ends[0], static_cast<void*>(&id), sizeof id), static_cast<ssize_t>(sizeof id));
  close(ends[0]);
  close(ends[1]);
  { const UniqueFd once = knock(id); }
  usleep(100'000);
  const std::int64_t before = privateBytesOf(pid);
  allowDescriptors(4096);
  std::vector<UniqueFd> held;
  std::int64_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    held.push_back(knock(id));
    Hello hello;
    hello.tag = id.tag;
    (void)send(held.back().get(), &hello, sizeof hello, MSG_NOSIGNAL);
    if (i % 50 == 0) most = std::max(most, privateBytesOf(pid) - before);
  }
  usleep(300'000);
  most = std::max(most, privateBytesOf(pid) - before);
  EXPECT_LE(most, (64 << 10) + (32 << 10)) << "64 KiB, and pages that the allocator rounds up to";
  record("bytes_before_proof", static_cast<double>(most));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

/// What one rank said, word for word, from somebody who read the network.
TEST(NetHostile, AReplayedHandshakeIsNoRank) {
  Proxied net([](int) { return ConnectionFaults{}; });
  std::vector<Outcome> outcomes(2);
  std::thread first([&] { outcomes[0] = joinFully(net.through, infoOf(0, 2)); });
  constexpr std::size_t kSaid = sizeof(Hello) + sizeof(Introduction) + sizeof(RankInfo);
  for (int i = 0; i < 1000 && (net.proxy.connections() == 0 || net.proxy.sentToServer(0).size() < kSaid); ++i)
    usleep(2000);
  const std::string said = net.proxy.sentToServer(0);
  ASSERT_EQ(said.size(), kSaid);
  std::vector<UniqueFd> replays;
  for (int i = 0; i < 20; ++i) {
    replays.push_back(knock(net.id));
    say(replays.back(), said);
  }
  usleep(50'000);
  outcomes[1] = joinFully(net.id, infoOf(1, 2));
  first.join();
  EXPECT_EQ(outcomes[0].error, "") << "rank 0 was taken to be there twice";
  EXPECT_EQ(outcomes[1].error, "");
  for (const UniqueFd& replay : replays) {
    char answer[2048];
    const ssize_t bytes = recv(replay.get(), answer, sizeof answer, MSG_WAITALL);
    EXPECT_LE(bytes, static_cast<ssize_t>(sizeof(Challenge))) << "a stranger was told who joined";
  }
}

/// Local addresses in hexadecimal that listen at this port, by the kernel's table.
std::vector<std::string> listenersAt(std::uint16_t port) {
  std::vector<std::string> found;
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, "%04X", port);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(table);
    for (std::string line, slot, local, remote, state; std::getline(lines, line);) {
      std::istringstream(line) >> slot >> local >> remote >> state;
      const std::size_t colon = local.find(':');
      if (state == "0A" && colon != std::string::npos && local.substr(colon + 1) == wanted)
        found.push_back(local.substr(0, colon));
    }
  }
  return found;
}

TEST(NetHostile, ListensOnTheSelectedInterfaceOnly) {
  const UniqueId id = openRendezvous("127.0.0.1");
  EXPECT_EQ(listenersAt(id.endpoints[0].port), std::vector<std::string>{"0100007F"});
  UniqueId elsewhere = id;
  elsewhere.endpoints[0].address[3] = 2;  // 127.0.0.2 is this host too
  EXPECT_FALSE(knock(elsewhere)) << "reached by another local address";
  EXPECT_TRUE(knock(id));
  EXPECT_EQ(joinFully(id, infoOf(0, 1)).error, "");
}

TEST(NetHostile, NothingIsLeft) {
  { (void)joinMs(openRendezvous("127.0.0.1")); }
  usleep(2'000'000);  // rendezvous threads of the tests before are on their way out
  const Census before = takeCensus();
  for (int i = 0; i < 20; ++i) {
    const UniqueId id = openRendezvous("127.0.0.1");
    std::vector<UniqueFd> held;
    for (int k = 0; k < 100; ++k) held.push_back(knock(id));
    (void)joinMs(id);
  }
  EXPECT_EQ(changeSince(before), "");
}

}  // namespace

}  // namespace ulysses::test
