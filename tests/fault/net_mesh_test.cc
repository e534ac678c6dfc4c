// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows F6 and F9 of the fault matrix at the ranks' local sockets: strangers of this user and of others while the ranks
// connect to each other.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <numeric>

#include "comm/mesh.h"
#include "fault/census.h"
#include "fault/rendezvous_ranks.h"

namespace ulysses::test {

namespace {

std::vector<int> allOf(const Membership& membership) {
  std::vector<int> ranks(membership.ranks.size());
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

constexpr int kRanks = 4;
constexpr uid_t kNobody = 65534;

struct Greeting {
  std::int32_t rank;
  Secret token;
};

sockaddr_un addressFor(const std::string& name, socklen_t* size) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  *size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

UniqueFd call(const std::string& name) {
  socklen_t size = 0;
  const sockaddr_un address = addressFor(name, &size);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
  return socket;
}

/// The local sockets of ranks that are threads of this process.
class Mesh {
 public:
  Mesh() : listeners_(kRanks) {
    for (int rank = 0; rank < kRanks; ++rank) {
      RankInfo info = infoOf(rank, kRanks);
      copyText(info.meshName, listeners_[static_cast<std::size_t>(rank)].name());
      infos_.push_back(info);
    }
    fillRandom(token.data(), token.size());
  }
  const std::string& nameOf(int rank) const { return listeners_[static_cast<std::size_t>(rank)].name(); }

  /// Milliseconds until all ranks have connected to each other.
  double connect(const std::function<void()>& meanwhile = {}) {
    const std::int64_t start = nowNs();
    std::vector<std::thread> threads;
    for (int rank = 0; rank < kRanks; ++rank)
      threads.emplace_back([this, rank] {
        Membership membership;
        membership.ranks = infos_;
        membership.meshToken = token;
        try {
          std::vector<std::unique_ptr<ShmPeer>> peers;
          listeners_[static_cast<std::size_t>(rank)].connect(membership, allOf(membership), rank,
                                                             Deadline::inMs(10'000), peers);
          for (int peer = 0; peer < kRanks; ++peer)
            EXPECT_EQ(peers[static_cast<std::size_t>(peer)] != nullptr, peer != rank);
        } catch (const Error& error) {
          ADD_FAILURE() << "rank " << rank << ": " << error.what();
        }
      });
    if (meanwhile) meanwhile();
    for (std::thread& thread : threads) thread.join();
    return static_cast<double>(nowNs() - start) * 1e-6;
  }

  Secret token{};

 private:
  std::vector<MeshListener> listeners_;
  std::vector<RankInfo> infos_;
};

void record(const char* name, double value) {
  testing::Test::RecordProperty(name, std::to_string(value));
  std::printf("%s: %.1f\n", name, value);
}

TEST(NetMesh, Undisturbed) { record("mesh_ms", Mesh().connect()); }

TEST(NetMesh, GarbageAndWrongTokens) {
  Mesh mesh;
  std::vector<UniqueFd> held;
  for (int rank = 0; rank < kRanks; ++rank)
    for (int i = 0; i < 200; ++i) {
      held.push_back(call(mesh.nameOf(rank)));
      ASSERT_TRUE(held.back());
      Greeting greeting{i % kRanks, mesh.token};
      greeting.token[static_cast<std::size_t>(i) % 32] ^= 1;
      if (i % 3 == 0) greeting.rank = i % 2 ? -1 : 1'000'000;
      (void)send(held.back().get(), &greeting, i % 5 == 0 ? 3 : sizeof greeting, MSG_NOSIGNAL);
    }
  const double ms = mesh.connect();
  EXPECT_LT(ms, 3000.0);
  record("mesh_ms_garbage", ms);
}

/// Callers of this user that say nothing: there are never more of them than places, and they make room.
TEST(NetMesh, ThousandSilentCallers) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(8192, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  Mesh mesh;
  std::vector<UniqueFd> held;
  for (int i = 0; i < 1000; ++i) held.push_back(call(mesh.nameOf(0)));
  const std::int64_t before = takeCensus().fds;
  std::int64_t most = 0;
  const double ms = mesh.connect([&] {
    for (int i = 0; i < 10; ++i) {
      usleep(20'000);
      most = std::max(most, takeCensus().fds - before);
    }
  });
  EXPECT_LT(ms, 8000.0);
  EXPECT_LT(most, 64 + 40) << "callers that are not known to be ranks are bounded";
  record("mesh_ms_thousand_silent", ms);
}

/// A rank's greeting again, from somebody of the job: the first one stays.
TEST(NetMesh, ARankTwice) {
  Mesh mesh;
  std::vector<UniqueFd> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(call(mesh.nameOf(3)));
    const Greeting own{3, mesh.token}, lower{0, mesh.token};
    (void)send(held.back().get(), i == 0 ? &own : &lower, sizeof own, MSG_NOSIGNAL);
  }
  EXPECT_LT(mesh.connect(), 3000.0);
}

/// Another user calls without end, and holds what it has: its calls are not even kept.
TEST(NetMesh, AnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  Mesh mesh;
  const std::string name = mesh.nameOf(0);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    if (setresuid(kNobody, kNobody, kNobody) != 0) _exit(1);
    std::vector<UniqueFd> held;
    for (std::int64_t calls = 0; calls < 3'000'000; ++calls) {
      UniqueFd caller = call(name);
      if (calls == 2000) (void)!write(ready[1], "x", 1);
      if (caller && held.size() < 500) held.push_back(std::move(caller));
    }
    _exit(0);
  }
  char byte;
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  const double ms = mesh.connect();
  EXPECT_LT(ms, 5000.0);
  record("mesh_ms_other_user_flood", ms);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

/// A rank that is stopped before it takes calls: the deadline holds although its queue is full.
TEST(NetMesh, AFullQueueEndsAtTheDeadline) {
  MeshListener stopped, own;
  std::vector<UniqueFd> held;
  for (int i = 0; i < 6000; ++i) {
    held.push_back(call(stopped.name()));
    if (!held.back()) break;
  }
  Membership membership;
  membership.ranks = {infoOf(0, 2), infoOf(1, 2)};
  copyText(membership.ranks[0].meshName, stopped.name());
  const std::int64_t start = nowNs();
  try {
    std::vector<std::unique_ptr<ShmPeer>> peers;
    own.connect(membership, allOf(membership), 1, Deadline::inMs(300), peers);
    FAIL() << "connected to nobody";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.result(), Result::Timeout);
    EXPECT_NE(text.find("rank 0 (host here, pid 1000) did not take our call"), std::string::npos) << text;
  }
  EXPECT_LT(nowNs() - start, 1'000'000'000);
}

TEST(NetMesh, ARankThatDoesNotComeIsNamed) {
  MeshListener own;
  Membership membership;
  membership.ranks = {infoOf(0, 3), infoOf(1, 3), infoOf(2, 3)};
  try {
    std::vector<std::unique_ptr<ShmPeer>> peers;
    own.connect(membership, allOf(membership), 0, Deadline::inMs(200), peers);
    FAIL() << "connected to nobody";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("rank 1 (host here, pid 1001), rank 2 (host here, pid 1002) did not connect"),
              std::string::npos)
        << text;
  }
}

}  // namespace

}  // namespace ulysses::test
