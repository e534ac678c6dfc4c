// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages: what goes in comes out, with the true size, by the tag, in order.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <numeric>

#include "net_setting.h"

namespace ulysses::nccl_test {
namespace {

class NetMessages : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Net, NetMessages, testing::ValuesIn(allSettings()), nameOfSetting);

/// Rank 0 sends to rank 1.
void oneWay(const Setting& setting, const std::function<void(Rank&, void* comm)>& sender,
            const std::function<void(Rank&, void* comm)>& receiver) {
  runRanks(setting, 2, [&](Rank& rank) {
    if (rank.index() == 0) {
      void* comm = rank.connectTo(1);
      sender(rank, comm);
      NET_OK(rank.net().closeSend(comm));
    } else {
      const Link link = rank.acceptFrom(0);
      NET_OK(rank.net().closeListen(link.listener));
      receiver(rank, link.comm);
      NET_OK(rank.net().closeRecv(link.comm));
    }
  });
}

void receiveAndCheck(Rank& rank, void* comm, size_t bytes, size_t room, int tag, unsigned seed) {
  std::vector<char> data(room + 1, '\x33');
  rank.completeOk(rank.irecv(comm, {data.data()}, {room}, {tag}), {static_cast<int>(bytes)});
  NET_CHECK(std::equal(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(bytes), pattern(bytes, seed).begin()));
  NET_CHECK(
      std::all_of(data.begin() + static_cast<std::ptrdiff_t>(bytes), data.end(), [](char c) { return c == '\x33'; }));
}

/// Under sanitizers large ones show no more and take minutes.
std::vector<size_t> testedSizes() {
  std::vector<size_t> sizes = {0,     1,     7,      8,       63,      64,      1000,           8192,    8193,
                               65536, 65537, 131072, 1000003, 1 << 20, 4 << 20, (16 << 20) + 5, 64 << 20};
  if (isSanitized()) std::erase_if(sizes, [](size_t bytes) { return bytes > 4 << 20; });
  return sizes;
}
const std::vector<size_t> kSizes = testedSizes();

TEST_P(NetMessages, SizesFromNothingTo64MiB) {
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        for (unsigned i = 0; i < kSizes.size(); ++i) {
          std::vector<char> data = pattern(kSizes[i], i);
          rank.completeOk(rank.isend(comm, data.data(), data.size(), 3), {static_cast<int>(data.size())});
        }
      },
      [](Rank& rank, void* comm) {
        for (unsigned i = 0; i < kSizes.size(); ++i) receiveAndCheck(rank, comm, kSizes[i], kSizes[i], 3, i);
      });
}

TEST_P(NetMessages, AreAsLongAsWasSentNotAsWasPosted) {
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        for (const size_t bytes : {size_t{5000}, size_t{0}, size_t{70'000}, size_t{2'000'000}}) {
          std::vector<char> data = pattern(bytes, 9);
          rank.completeOk(rank.isend(comm, data.data(), bytes, 0), {static_cast<int>(bytes)});
        }
      },
      [](Rank& rank, void* comm) {
        for (const size_t bytes : {size_t{5000}, size_t{0}, size_t{70'000}, size_t{2'000'000}})
          receiveAndCheck(rank, comm, bytes, bytes + 200'000, 0, 9);
      });
}

TEST_P(NetMessages, OfSizeZeroMayHaveNoPointer) {
  oneWay(
      GetParam(), [](Rank& rank, void* comm) { rank.completeOk(rank.isend(comm, nullptr, 0, 1), {0}); },
      [](Rank& rank, void* comm) { rank.completeOk(rank.irecv(comm, {nullptr}, {0}, {1}), {0}); });
}

TEST_P(NetMessages, TestWithoutSizes) {
  const auto completeWithoutSizes = [](Rank& rank, void* request) {
    int done = 0;
    waitFor("test", [&] {
      NET_OK(rank.net().test(request, &done, nullptr));
      return done != 0;
    });
  };
  oneWay(
      GetParam(),
      [&](Rank& rank, void* comm) {
        std::vector<char> data(100, 'x');
        completeWithoutSizes(rank, rank.isend(comm, data.data(), 100, 0));
      },
      [&](Rank& rank, void* comm) {
        std::vector<char> data(100);
        completeWithoutSizes(rank, rank.irecv(comm, {data.data()}, {100}, {0}));
        NET_CHECK(data == std::vector<char>(100, 'x'));
      });
}

/// Messages of eight tags are sent in one order and asked for in another, as one receive of eight.
TEST_P(NetMessages, GroupedInEveryOrder) {
  constexpr int kRounds = 40;
  const auto order = [](int round) {
    std::array<int, 8> tags;
    std::iota(tags.begin(), tags.end(), 0);
    std::rotate(tags.begin(), tags.begin() + round % 8, tags.end());
    if (round / 8 % 2 == 1) std::ranges::reverse(tags);
    return tags;
  };
  const auto bytesOf = [](int round, int tag) { return static_cast<size_t>((round * 37 + tag * 1009) % 20'000); };
  oneWay(
      GetParam(),
      [&](Rank& rank, void* comm) {
        for (int round = 0; round < kRounds; ++round) {
          std::array<std::vector<char>, 8> data;
          std::array<void*, 8> requests;
          for (size_t i = 0; i < 8; ++i) {
            const int tag = order(round * 5 + 3)[i];
            data[i] = pattern(bytesOf(round, tag), static_cast<unsigned>(tag));
            requests[i] = rank.isend(comm, data[i].data(), data[i].size(), tag);
          }
          for (size_t i = 0; i < 8; ++i) rank.completeOk(requests[i], {static_cast<int>(data[i].size())});
        }
      },
      [&](Rank& rank, void* comm) {
        for (int round = 0; round < kRounds; ++round) {
          const int n = 1 + round % 8;  // the rest one by one
          const std::array<int, 8> tags = order(round);
          std::array<std::vector<char>, 8> data;
          std::vector<void*> pointers;
          std::vector<int> sizes;
          for (size_t i = 0; i < 8; ++i) {
            data[i].resize(20'000);
            pointers.push_back(data[i].data());
            sizes.push_back(static_cast<int>(bytesOf(round, tags[i])));
          }
          rank.completeOk(
              rank.irecv(comm, {pointers.begin(), pointers.begin() + n},
                         std::vector<size_t>(static_cast<size_t>(n), 20'000), {tags.begin(), tags.begin() + n}),
              {sizes.begin(), sizes.begin() + n});
          for (size_t i = static_cast<size_t>(n); i < 8; ++i)
            rank.completeOk(rank.irecv(comm, {pointers[i]}, {20'000}, {tags[i]}), {sizes[i]});
          for (size_t i = 0; i < 8; ++i) {
            data[i].resize(static_cast<size_t>(sizes[i]));
            NET_CHECK(data[i] == pattern(data[i].size(), static_cast<unsigned>(tags[i])));
          }
        }
      });
}

/// Messages of one tag come in the order sent, also within a group.
TEST_P(NetMessages, OfOneTagComeInOrder) {
  constexpr int kMessages = 64;
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        std::array<int, kMessages> data;
        std::vector<void*> requests;
        for (int i = 0; i < kMessages; ++i) {
          data[static_cast<size_t>(i)] = i;
          requests.push_back(rank.isend(comm, &data[static_cast<size_t>(i)], sizeof(int), 5));
        }
        for (void* request : requests) rank.completeOk(request, {4});
      },
      [](Rank& rank, void* comm) {
        for (int i = 0; i < kMessages; i += 4) {
          std::array<int, 4> data{-1, -1, -1, -1};
          rank.completeOk(rank.irecv(comm, {&data[0], &data[1], &data[2], &data[3]}, {4, 4, 4, 4}, {5, 5, 5, 5}),
                          {4, 4, 4, 4});
          for (int j = 0; j < 4; ++j) NET_EQ(data[static_cast<size_t>(j)], i + j);
        }
      });
}

/// 32 groups of 8 receives are outstanding at once; one more gets no request, which is no error.
TEST_P(NetMessages, RequestsRunOut) {
  static constexpr size_t kGroups = 32, kGroup = 8, kBytes = 3000;
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        NET_CHECK(rank.hear(1) == "posted");
        std::vector<std::vector<char>> data;
        std::vector<void*> requests;
        for (unsigned i = 0; i < kGroups * kGroup; ++i) {
          data.push_back(pattern(kBytes, i));
          requests.push_back(rank.isend(comm, data.back().data(), kBytes, static_cast<int>(i % kGroup)));
        }
        void* request = &request;
        NET_OK(rank.net().isend(comm, data[0].data(), kBytes, 0, nullptr, &request));
        NET_CHECK(request == nullptr);
        for (void* one : requests) rank.completeOk(one, {static_cast<int>(kBytes)});
      },
      [](Rank& rank, void* comm) {
        std::vector<std::vector<char>> data(kGroups * kGroup, std::vector<char>(kBytes));
        std::vector<void*> requests;
        const auto post = [&](size_t group) {
          std::vector<void*> pointers;
          std::vector<int> tags;
          for (size_t i = 0; i < kGroup; ++i) {
            pointers.push_back(data[group * kGroup + i].data());
            tags.push_back(static_cast<int>(i));
          }
          return rank.irecv(comm, pointers, std::vector<size_t>(kGroup, kBytes), tags);
        };
        for (size_t group = 0; group < kGroups; ++group) requests.push_back(post(group));
        rank.tell(0, std::span("posted", 6));
        for (void* request : requests) rank.completeOk(request, std::vector<int>(kGroup, static_cast<int>(kBytes)));
        for (unsigned i = 0; i < data.size(); ++i) NET_CHECK(data[i] == pattern(kBytes, i));
      });
}

/// Null when there is no request in that time.
void* isendWithin(Rank& rank, void* comm, std::vector<char>& data, int tag, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  void* request = nullptr;
  while (!request && std::chrono::steady_clock::now() < deadline)
    NET_OK(rank.net().isend(comm, data.data(), data.size(), tag, nullptr, &request));
  return request;
}

/// A sender far ahead is held back, not the receiver's memory filled; other tags go on.
TEST_P(NetMessages, ASenderFarAheadWaits) {
  static constexpr size_t kBytes = 1 << 20;
  static const size_t kMany = isSanitized() ? 80 : 200;
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        std::vector<char> data = pattern(kBytes, 1);
        size_t sent = 0;
        for (void* request = rank.isend(comm, data.data(), kBytes, 1); request; ++sent) {
          rank.completeOk(request, {static_cast<int>(kBytes)});
          request = isendWithin(rank, comm, data, 1, 0.3);
        }
        NET_CHECK(sent >= 8 && sent < kMany);
        rank.completeOk(rank.isend(comm, data.data(), kBytes, 2), {static_cast<int>(kBytes)});
        rank.tell(1, std::to_string(sent));
        for (; sent < kMany; ++sent)
          rank.completeOk(rank.isend(comm, data.data(), kBytes, 1), {static_cast<int>(kBytes)});
      },
      [](Rank& rank, void* comm) {
        NET_CHECK(std::stoul(rank.hear(0)) < kMany);
        receiveAndCheck(rank, comm, kBytes, kBytes, 2, 1);
        for (size_t i = 0; i < kMany; ++i) receiveAndCheck(rank, comm, kBytes, kBytes, 1, 1);
      });
}

/// So is one of many small messages; it goes on as they are taken.
TEST_P(NetMessages, ASenderOfManyMessagesWaits) {
  static constexpr int kMany = 3000;
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        int sent = 0;
        const auto send = [&](void* request) { rank.completeOk(request, {sizeof sent}); };
        std::vector<char> number(sizeof sent);
        const auto next = [&] { std::memcpy(number.data(), &sent, sizeof sent); };
        next();
        for (void* request = rank.isend(comm, number.data(), number.size(), 1); request;) {
          send(request);
          ++sent;
          next();
          request = isendWithin(rank, comm, number, 1, 0.3);
        }
        NET_EQ(sent, 1024);
        rank.tell(1, std::span("held", 4));
        for (; sent < kMany; ++sent) {
          next();
          send(rank.isend(comm, number.data(), number.size(), 1));
        }
      },
      [](Rank& rank, void* comm) {
        NET_CHECK(rank.hear(0) == "held");
        for (int i = 0; i < kMany; ++i) {
          int got = -1;
          rank.completeOk(rank.irecv(comm, {&got}, {sizeof got}, {1}), {sizeof got});
          NET_EQ(got, i);
        }
      });
}

TEST_P(NetMessages, LargerThanPostedIsAnError) {
  oneWay(
      GetParam(),
      [](Rank& rank, void* comm) {
        std::vector<char> data(10'000, 'x');
        void* const request = rank.isend(comm, data.data(), data.size(), 0);
        rank.meet(1);
        rank.complete(request);  // well, as it is with UCX, or not
      },
      [](Rank& rank, void* comm) {
        std::vector<char> data(5'001, 'y');
        const Completed completed = rank.complete(rank.irecv(comm, {data.data()}, {5'000}, {0}));
        NET_EQ(completed.result, NcclResult::InternalError);
        NET_EQ(data.back(), 'y');
        rank.meet(0);
      });
}

/// As in a ring all-reduce: every rank sends to the next and receives from the one before, several under way.
TEST_P(NetMessages, AroundARing) {
  constexpr int kRanks = 3, kSteps = 60, kDepth = 8;
  runRanks(GetParam(), kRanks, [](Rank& rank) {
    const int next = (rank.index() + 1) % kRanks, before = (rank.index() + kRanks - 1) % kRanks;
    char handle[nccl::kHandleBytes];
    void* listener = nullptr;
    NET_OK(rank.net().listen(0, handle, &listener));
    rank.tell(before, handle);
    std::string theirs = rank.hear(next);
    void *send = nullptr, *receive = nullptr;
    waitFor("both connections", [&] {
      if (!send) NET_OK(rank.net().connect(0, theirs.data(), &send, nullptr));
      if (!receive) NET_OK(rank.net().accept(listener, &receive, nullptr));
      return send && receive;
    });
    NET_OK(rank.net().closeListen(listener));
    for (int step = 0; step < kSteps; step += kDepth) {
      std::array<std::vector<char>, kDepth> out, in;
      std::array<void*, kDepth> sends, receives;
      for (size_t i = 0; i < kDepth; ++i) {
        const auto seed = static_cast<unsigned>(step) * 100 + static_cast<unsigned>(i) * 10;
        out[i] = pattern(50'000 + i * 10'000, seed + static_cast<unsigned>(rank.index()));
        in[i].resize(200'000);
        receives[i] = rank.irecv(receive, {in[i].data()}, {in[i].size()}, {before});
        sends[i] = rank.isend(send, out[i].data(), out[i].size(), rank.index());
      }
      for (size_t i = 0; i < kDepth; ++i) {
        rank.completeOk(receives[i], {static_cast<int>(50'000 + i * 10'000)});
        rank.completeOk(sends[i], {static_cast<int>(out[i].size())});
        in[i].resize(out[i].size());
        const auto seed = static_cast<unsigned>(step) * 100 + static_cast<unsigned>(i) * 10;
        NET_CHECK(in[i] == pattern(in[i].size(), seed + static_cast<unsigned>(before)));
      }
    }
    NET_OK(rank.net().closeSend(send));
    NET_OK(rank.net().closeRecv(receive));
  });
}

TEST(NetLarge, Of256MiB) {
  static const size_t kBytes = size_t{isSanitized() ? 8u : 256u} << 20;
  for (const char* transports : {"tcp,self", "posix,self"})
    oneWay(
        {.version = 12, .transports = transports},
        [](Rank& rank, void* comm) {
          std::vector<char> data = pattern(kBytes, 7);
          void* const request = rank.isend(comm, data.data(), kBytes, 0);
          const Completed completed = rank.complete(request, 1, 60);
          NET_OK(completed.result);
        },
        [](Rank& rank, void* comm) {
          std::vector<char> data(kBytes);
          const Completed completed = rank.complete(rank.irecv(comm, {data.data()}, {kBytes}, {0}), 1, 60);
          NET_OK(completed.result);
          NET_EQ(completed.sizes[0], static_cast<int>(kBytes));
          NET_CHECK(data == pattern(kBytes, 7));
        });
}

}  // namespace
}  // namespace ulysses::nccl_test
