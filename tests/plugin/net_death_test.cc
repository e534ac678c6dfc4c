// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Peers that die or stop: the survivor is told, and can close.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include "net_setting.h"

namespace ulysses::nccl_test {
namespace {

/// What happens once, in this process, between UCX's connecting over TCP and its first record there, which then fails.
std::function<void()> whileUcxConnects;

bool isUcxGreeting(const void* bytes, size_t n) {
  constexpr uint64_t kGreeting = 0xcafebabe12345678;
  uint64_t word = 0;
  if (n >= sizeof word) std::memcpy(&word, bytes, sizeof word);
  return word == kGreeting;
}

}  // namespace
}  // namespace ulysses::nccl_test

/// In place of the C library's, for UCX too.
extern "C" ssize_t send(int fd, const void* bytes, size_t n, int flags) {
  using namespace ulysses::nccl_test;
  if (whileUcxConnects && isUcxGreeting(bytes, n)) {
    std::exchange(whileUcxConnects, nullptr)();
    errno = ECONNRESET;
    return -1;
  }
  return syscall(SYS_sendto, fd, bytes, n, flags, nullptr, 0);
}

namespace ulysses::nccl_test {
namespace {

class NetDeath : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Net, NetDeath, testing::ValuesIn(allSettings()), nameOfSetting);

constexpr size_t kDepth = 8;

/// Both ends of a pair of processes.
struct Pair {
  void* send = nullptr;
  void* receive = nullptr;
  void* listener = nullptr;
};

Pair connectBoth(Rank& rank) {
  const int peer = 1 - rank.index();
  Pair pair;
  char handle[nccl::kHandleBytes];
  NET_OK(rank.net().listen(0, handle, &pair.listener));
  rank.tell(peer, handle);
  std::string theirs = rank.hear(peer);
  waitFor("both connections", [&] {
    if (!pair.send) NET_OK(rank.net().connect(0, theirs.data(), &pair.send, nullptr));
    if (!pair.receive) NET_OK(rank.net().accept(pair.listener, &pair.receive, nullptr));
    return pair.send && pair.receive;
  });
  return pair;
}

/// Buffers for the messages of one connection. They go as NCCL's do when it gives up: deregistered with requests under
/// way, freed, and only then is the connection closed.
class Buffers {
 public:
  Buffers(Net& net, void* comm) : net_(net), comm_(comm), memory_(kDepth, std::vector<char>(1 << 20)) {
    for (std::vector<char>& one : memory_)
      NET_OK(net_.regMr(comm_, one.data(), one.size(), nccl::kPointerHost, &mhandles_.emplace_back()));
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (void* mhandle : mhandles_) EXPECT_EQ(net_.deregMr(comm_, mhandle), NcclResult::Success);
  }
  char* at(size_t i) { return memory_[i].data(); }
  void* mhandle(size_t i) { return mhandles_[i]; }

 private:
  Net& net_;
  void* comm_;
  std::vector<std::vector<char>> memory_;
  std::vector<void*> mhandles_;
};

/// Messages of many sizes both ways until one ends with an error, which is returned.
NcclResult exchangeUntilError(Rank& rank, const Pair& pair, std::mt19937& random) {
  Buffers out(rank.net(), pair.send), in(rank.net(), pair.receive);
  for (;;) {
    std::vector<void*> requests;
    for (size_t i = 0; i < kDepth; ++i) {
      requests.push_back(rank.irecv(pair.receive, {in.at(i)}, {1 << 20}, {0}));
      const size_t bytes = random() % 3 == 0 ? 1 << 20 : random() % 10'000;
      void* request = nullptr;
      waitFor("isend", [&] {
        NET_OK(rank.net().isend(pair.send, out.at(i), bytes, 0, out.mhandle(i), &request));
        return request != nullptr;
      });
      requests.push_back(request);
    }
    for (void* request : requests)
      if (const Completed completed = rank.complete(request); completed.result != NcclResult::Success)
        return completed.result;
  }
}

void closeAll(Rank& rank, const Pair& pair) {
  const auto before = std::chrono::steady_clock::now();
  if (pair.send) NET_OK(rank.net().closeSend(pair.send));
  if (pair.receive) NET_OK(rank.net().closeRecv(pair.receive));
  NET_OK(rank.net().closeListen(pair.listener));
  NET_CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(2));
}

/// Rank 1 is killed at a moment of an exchange both ways; rank 0 sees RemoteError and closes.
TEST_P(NetDeath, AtTwentyRandomPoints) {
  const int points = GetParam().version == 12 ? 20 : 4;
  for (int point = 0; point < points; ++point) {
    const unsigned seed = static_cast<unsigned>(point) * 7 + static_cast<unsigned>(GetParam().version);
    runRanks(
        GetParam(), 2,
        [&](Rank& rank) {
          std::mt19937 random(seed * 2 + static_cast<unsigned>(rank.index()));
          const Pair pair = connectBoth(rank);
          rank.meet(1 - rank.index());
          if (rank.index() == 1) {
            std::thread([delay = random() % 60'000] {
              usleep(static_cast<useconds_t>(delay));
              kill(getpid(), SIGKILL);
            }).detach();
            exchangeUntilError(rank, pair, random);
          }
          const auto before = std::chrono::steady_clock::now();
          NET_EQ(exchangeUntilError(rank, pair, random), NcclResult::RemoteError);
          NET_CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(isSanitized() ? 60 : 5));
          closeAll(rank, pair);
        },
        1);
  }
}

/// It is killed while it is connecting: what the survivor has can be closed.
TEST_P(NetDeath, WhileConnecting) {
  for (const bool afterAccept : {false, true})
    runRanks(
        GetParam(), 2,
        [&](Rank& rank) {
          if (rank.index() == 1) {
            char handle[nccl::kHandleBytes];
            void* listener = nullptr;
            NET_OK(rank.net().listen(0, handle, &listener));
            rank.tell(0, handle);
            if (afterAccept) rank.finishAccept(listener);
            rank.meet(0);
            kill(getpid(), SIGKILL);
          }
          void* const comm = rank.connectTo(1);
          rank.meet(1);
          NET_EQ(rank.sendUntilError(comm), NcclResult::RemoteError);
          NET_OK(rank.net().closeSend(comm));
        },
        1);
}

size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

/// It closes in the middle of UCX's connecting to it, where UCX 1.13.1 is left with an endpoint that asserts when it is
/// moved on. That is told like any loss of a peer, and nothing is left behind.
TEST(NetDeath, InTheMiddleOfUcxConnecting) {
  runRanks({}, 2, [](Rank& rank) {
    if (rank.index() == 0) {
      const size_t before = descriptors();
      void* const comm = rank.connectTo(1);
      whileUcxConnects = [&] {
        rank.tell(1, std::span("connecting", 10));
        rank.hear(1);
      };
      NET_EQ(rank.sendUntilError(comm), NcclResult::RemoteError);
      NET_CHECK(!whileUcxConnects);
      NET_OK(rank.net().closeSend(comm));
      NET_EQ(descriptors(), before);
    } else {
      const Link link = rank.acceptFrom(0);
      rank.hear(0);
      NET_OK(rank.net().closeRecv(link.comm));
      NET_OK(rank.net().closeListen(link.listener));
      rank.tell(0, std::span("closed", 6));
    }
  });
}

/// A stopped peer is no error, and closing does not wait for it.
TEST_P(NetDeath, CloseBesideAStoppedPeer) {
  runRanks(
      GetParam(), 2,
      [](Rank& rank) {
        const Pair pair = connectBoth(rank);
        const pid_t peer = rank.pidOf(1 - rank.index());
        if (rank.index() == 1) {
          usleep(60'000'000);
          return;
        }
        kill(peer, SIGSTOP);
        std::vector<char> data(1 << 20);
        void* const receive = rank.irecv(pair.receive, {data.data()}, {data.size()}, {0});
        int done = 0;
        for (int i = 0; i < 200; ++i) {
          NET_OK(rank.net().test(receive, &done, nullptr));
          usleep(1000);
        }
        NET_EQ(done, 0);
        void* request = nullptr;
        NET_OK(rank.net().isend(pair.send, data.data(), data.size(), 0, nullptr, &request));
        closeAll(rank, pair);
        kill(peer, SIGKILL);
      },
      1);
}

}  // namespace
}  // namespace ulysses::nccl_test
