// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Connections: made in any order, closed at any time.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <random>

#include "net_setting.h"

namespace ulysses::nccl_test {
namespace {

class NetConnections : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Net, NetConnections, testing::ValuesIn(allSettings()), nameOfSetting);

double secondsOf(const std::function<void()>& work) {
  const auto before = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

/// One message of 4 bytes over a pair of ends that are two processes'.
void sendNumber(Rank& rank, void* comm, int number) {
  rank.completeOk(rank.isend(comm, &number, sizeof number, 0), {4});
}
int receiveNumber(Rank& rank, void* comm) {
  int number = -1;
  rank.completeOk(rank.irecv(comm, {&number}, {sizeof number}, {0}), {4});
  return number;
}

TEST_P(NetConnections, TenConnectsOnOneListener) {
  constexpr int kConnects = 10;
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::vector<void*> comms;
    if (rank.index() == 0) {
      const std::string handle = rank.hear(1);
      for (int i = 0; i < kConnects; ++i) {
        std::string own = handle;
        comms.push_back(rank.finishConnect(own.data()));
      }
      for (int i = 0; i < kConnects; ++i) sendNumber(rank, comms[static_cast<size_t>(i)], i);
      rank.meet(1);
      for (void* comm : comms) NET_OK(rank.net().closeSend(comm));
    } else {
      char handle[nccl::kHandleBytes];
      void* listener = nullptr;
      NET_OK(rank.net().listen(0, handle, &listener));
      rank.tell(0, handle);
      for (int i = 0; i < kConnects; ++i) comms.push_back(rank.finishAccept(listener));
      NET_OK(rank.net().closeListen(listener));
      std::vector<int> numbers;
      for (void* comm : comms) numbers.push_back(receiveNumber(rank, comm));
      std::ranges::sort(numbers);
      for (int i = 0; i < kConnects; ++i) NET_EQ(numbers[static_cast<size_t>(i)], i);
      rank.meet(0);
      for (void* comm : comms) NET_OK(rank.net().closeRecv(comm));
    }
  });
}

/// The connector is done before the acceptor calls, and does nothing while it accepts.
TEST_P(NetConnections, ConnectBeforeAccept) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    if (rank.index() == 0) {
      std::string handle = rank.hear(1);
      void* const comm = rank.finishConnect(handle.data());
      rank.tell(1, std::span("connected", 9));
      NET_CHECK(rank.hear(1) == "accepted");
      sendNumber(rank, comm, 77);
      NET_CHECK(rank.hear(1) == "received");
      NET_OK(rank.net().closeSend(comm));
    } else {
      char handle[nccl::kHandleBytes];
      void* listener = nullptr;
      NET_OK(rank.net().listen(0, handle, &listener));
      void* comm = nullptr;
      for (int i = 0; i < 10; ++i) NET_OK(rank.net().accept(listener, &comm, nullptr));
      NET_CHECK(comm == nullptr);  // nobody has connected
      rank.tell(0, handle);
      NET_CHECK(rank.hear(0) == "connected");
      comm = rank.finishAccept(listener);
      NET_OK(rank.net().closeListen(listener));
      rank.tell(0, std::span("accepted", 8));
      NET_EQ(receiveNumber(rank, comm), 77);
      rank.tell(0, std::span("received", 8));
      NET_OK(rank.net().closeRecv(comm));
    }
  });
}

/// A send is complete, and a receive, while the peer is in no call of the plugin at all.
TEST_P(NetConnections, CompletionNeedsNoCallOfThePeer) {
  constexpr size_t kBytes = 1 << 20;
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::vector<char> data = pattern(kBytes, 4);
    if (rank.index() == 0) {
      void* const comm = rank.connectTo(1);
      rank.completeOk(rank.isend(comm, data.data(), kBytes, 0), {static_cast<int>(kBytes)});
      rank.tell(1, std::span("sent", 4));
      NET_CHECK(rank.hear(1) == "received");
      NET_OK(rank.net().closeSend(comm));
    } else {
      const Link link = rank.acceptFrom(0);
      NET_CHECK(rank.hear(0) == "sent");
      std::vector<char> got(kBytes);
      rank.completeOk(rank.irecv(link.comm, {got.data()}, {kBytes}, {0}), {static_cast<int>(kBytes)});
      NET_CHECK(got == data);
      rank.tell(0, std::span("received", 8));
      NET_OK(rank.net().closeRecv(link.comm));
      NET_OK(rank.net().closeListen(link.listener));
    }
  });
}

/// What was sent can be received after the sender has closed, and when its process has ended.
TEST_P(NetConnections, DataOfASenderThatClosed) {
  for (const bool ends : {false, true})
    runRanks(GetParam(), 2, [&](Rank& rank) {
      const std::vector<size_t> sizes = {0, 8, 5000, 100'000, 3'000'000};
      if (rank.index() == 0) {
        void* const comm = rank.connectTo(1);
        for (unsigned i = 0; i < sizes.size(); ++i) {
          std::vector<char> data = pattern(sizes[i], i);
          rank.completeOk(rank.isend(comm, data.data(), sizes[i], static_cast<int>(i)), {static_cast<int>(sizes[i])});
        }
        NET_EQ(secondsOf([&] { NET_OK(rank.net().closeSend(comm)); }) < 1, true);
        if (ends) {
          rank.close();
          rank.tell(1, std::span("closed", 6));
        } else {
          rank.tell(1, std::span("closed", 6));
          NET_CHECK(rank.hear(1) == "received");
        }
      } else {
        const Link link = rank.acceptFrom(0);
        NET_CHECK(rank.hear(0) == "closed");
        // Under sanitizers longer than a process that ends waits for us: what it gives up then is freed.
        if (ends) usleep(isSanitized() ? 1'300'000 : 50'000);
        for (unsigned i = 0; i < sizes.size(); ++i) {
          std::vector<char> data(sizes[i]);
          rank.completeOk(rank.irecv(link.comm, {data.data()}, {sizes[i]}, {static_cast<int>(i)}),
                          {static_cast<int>(sizes[i])});
          NET_CHECK(data == pattern(sizes[i], i));
        }
        // One more than was sent: that nothing will come is told.
        char more = 0;
        NET_EQ(rank.complete(rank.irecv(link.comm, {&more}, {1}, {0})).result, NcclResult::RemoteError);
        if (!ends) rank.tell(0, std::span("received", 8));
        NET_OK(rank.net().closeRecv(link.comm));
        NET_OK(rank.net().closeListen(link.listener));
      }
    });
}

/// 32 requests are under way at both ends when they close; a send to a peer that has closed is no error of isend.
TEST_P(NetConnections, CloseInFlight) {
  constexpr size_t kBytes = 4 << 20;
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::vector<char> data(kBytes, 'z');
    void* mhandle = nullptr;
    void* request = nullptr;
    if (rank.index() == 0) {
      void* const comm = rank.connectTo(1);
      NET_OK(rank.net().regMr(comm, data.data(), kBytes, nccl::kPointerHost, &mhandle));
      rank.isend(comm, data.data(), kBytes, 0);
      for (int i = 1; i < 32; ++i) NET_OK(rank.net().isend(comm, data.data(), kBytes, 0, mhandle, &request));
      NET_CHECK(rank.hear(1) == "closed");
      NET_EQ(rank.sendUntilError(comm), NcclResult::RemoteError);
      NET_OK(rank.net().deregMr(comm, mhandle));
      NET_EQ(secondsOf([&] { NET_OK(rank.net().closeSend(comm)); }) < 1, true);
    } else {
      const Link link = rank.acceptFrom(0);
      NET_OK(rank.net().regMr(link.comm, data.data(), kBytes, nccl::kPointerHost, &mhandle));
      void* const first = rank.irecv(link.comm, {data.data()}, {kBytes}, {0});
      for (int i = 1; i < 32; ++i) rank.irecv(link.comm, {data.data()}, {kBytes}, {i % 3});
      int done = 0;
      for (int i = 0; i < 20 && done == 0; ++i) NET_OK(rank.net().test(first, &done, nullptr));
      NET_OK(rank.net().deregMr(link.comm, mhandle));
      NET_EQ(secondsOf([&] { NET_OK(rank.net().closeRecv(link.comm)); }) < 1, true);
      std::fill(data.begin(), data.end(), 'q');
      rank.tell(0, std::span("closed", 6));
      usleep(20'000);
      NET_CHECK(std::ranges::all_of(data, [](char c) { return c == 'q'; }));  // nobody writes to it any more
      NET_OK(rank.net().closeListen(link.listener));
    }
  });
}

/// The sender closes with sends under way: the receiver is told.
TEST_P(NetConnections, SenderClosesWhileItSends) {
  constexpr size_t kBytes = 24 << 20;
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::vector<char> data(kBytes);
    if (rank.index() == 0) {
      void* const comm = rank.connectTo(1);
      void* const request = rank.isend(comm, data.data(), kBytes, 0);
      int done = 0;
      NET_OK(rank.net().test(request, &done, nullptr));
      NET_EQ(secondsOf([&] { NET_OK(rank.net().closeSend(comm)); }) < 1, true);
      data.assign(kBytes, '!');
    } else {
      const Link link = rank.acceptFrom(0);
      const Completed completed = rank.complete(rank.irecv(link.comm, {data.data()}, {kBytes}, {0}));
      // All of it, if it was faster, or nothing.
      NET_CHECK(completed.result == NcclResult::RemoteError ||
                std::ranges::all_of(data, [](char c) { return c == 0; }));
      NET_OK(rank.net().closeRecv(link.comm));
      NET_OK(rank.net().closeListen(link.listener));
    }
  });
}

TEST_P(NetConnections, ListenersThatNobodyNeeds) {
  runRanks(GetParam(), 1, [](Rank& rank) {
    std::array<char, nccl::kHandleBytes> handle{};
    void* listener = nullptr;
    NET_OK(rank.net().listen(0, handle.data(), &listener));
    void* comm = nullptr;
    NET_OK(rank.net().accept(listener, &comm, nullptr));
    NET_CHECK(comm == nullptr);
    NET_OK(rank.net().closeListen(listener));
    // A handle whose listener is gone: an error, not a hang.
    NcclResult result = NcclResult::Success;
    waitFor("connect to fail", [&] {
      result = rank.net().connect(0, handle.data(), &comm, nullptr);
      return result != NcclResult::Success;
    });
    NET_EQ(result, NcclResult::RemoteError);
    NET_CHECK(comm == nullptr);
    handle.fill(1);
    NET_EQ(rank.net().connect(0, handle.data(), &comm, nullptr), NcclResult::InvalidArgument);
    NET_EQ(rank.net().listen(1000, handle.data(), &listener), NcclResult::InvalidArgument);
  });
}

/// Somebody else connects to the listener, says nonsense or nothing: ranks connect undisturbed.
TEST(NetStrangers, AreSentAway) {
  runRanks({}, 2, [](Rank& rank) {
    if (rank.index() == 0) {
      std::string handle = rank.hear(1);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      std::memcpy(&address.sin_port, handle.data() + 18, 2);  // wire.h: magic, token, family, port
      std::memcpy(&address.sin_addr, handle.data() + 24, 4);
      std::vector<int> strangers;
      for (int i = 0; i < 20; ++i) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        NET_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        const std::vector<char> nonsense = pattern(static_cast<size_t>(i % 4) * 13, static_cast<unsigned>(i));
        if (!nonsense.empty()) NET_CHECK(send(fd, nonsense.data(), nonsense.size(), MSG_NOSIGNAL) > 0);
        strangers.push_back(fd);
      }
      void* const comm = rank.finishConnect(handle.data());
      sendNumber(rank, comm, 5);
      rank.meet(1);
      NET_OK(rank.net().closeSend(comm));
      for (const int fd : strangers) ::close(fd);
    } else {
      const Link link = rank.acceptFrom(0);
      NET_EQ(receiveNumber(rank, link.comm), 5);
      void* another = nullptr;
      for (int i = 0; i < 100; ++i) {
        NET_OK(rank.net().accept(link.listener, &another, nullptr));
        NET_CHECK(another == nullptr);
      }
      rank.meet(0);
      NET_OK(rank.net().closeRecv(link.comm));
      NET_OK(rank.net().closeListen(link.listener));
    }
  });
}

/// Many connections both ways at once, made and used and closed in another order each time.
/// A hundred: --gtest_filter='*Storms*' --gtest_repeat=25.
void storm(Rank& rank, unsigned round) {
  constexpr size_t kConnections = 16;
  const int peer = 1 - rank.index();
  std::vector<void*> listeners(kConnections), sends(kConnections), receives(kConnections);
  std::vector<std::string> handles;
  for (void*& listener : listeners) {
    char handle[nccl::kHandleBytes];
    NET_OK(rank.net().listen(0, handle, &listener));
    rank.tell(peer, handle);
  }
  for (size_t i = 0; i < kConnections; ++i) handles.push_back(rank.hear(peer));
  std::vector<size_t> order(kConnections);
  for (size_t i = 0; i < kConnections; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(round * 2 + static_cast<unsigned>(rank.index())));
  waitFor("all connections", [&] {
    bool all = true;
    for (const size_t i : order) {
      if (!sends[i]) NET_OK(rank.net().connect(0, handles[i].data(), &sends[i], nullptr));
      if (!receives[i]) NET_OK(rank.net().accept(listeners[i], &receives[i], nullptr));
      all = all && sends[i] && receives[i];
    }
    return all;
  });
  std::vector<int> numbers(kConnections, -1);
  std::vector<void*> receiving, sending;
  std::vector<int> values(kConnections);
  for (const size_t i : order) {
    values[i] = static_cast<int>(i) + 100;
    receiving.push_back(rank.irecv(receives[i], {&numbers[i]}, {4}, {0}));
  }
  for (const size_t i : order) sending.push_back(rank.isend(sends[i], &values[i], 4, 0));
  for (void* request : receiving) rank.completeOk(request, {4});
  for (void* request : sending) rank.completeOk(request, {4});
  for (size_t i = 0; i < kConnections; ++i) NET_EQ(numbers[i], static_cast<int>(i) + 100);
  for (const size_t i : order) {
    NET_OK(rank.net().closeSend(sends[i]));
    NET_OK(rank.net().closeListen(listeners[i]));
    NET_OK(rank.net().closeRecv(receives[i]));
  }
}

TEST_P(NetConnections, Storms) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    for (unsigned round = 0; round < 4; ++round) storm(rank, round);
  });
}

}  // namespace
}  // namespace ulysses::nccl_test
