// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The plugin as a library: how it is found, what it offers, contexts, threads, what it writes, how it goes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "net_setting.h"

namespace ulysses::nccl_test {
namespace {

class NetPlugin : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Net, NetPlugin, testing::ValuesIn(allSettings()), nameOfSetting);

size_t threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

/// Whether a line was that begins with `level` and has `text` in it.
bool wasLogged(const std::string& level, const std::string& text) {
  return std::ranges::any_of(logged(), [&](const std::string& line) {
    return line.starts_with(level) && line.find(text) != std::string::npos;
  });
}

void ignoreLine(nccl::LogLevel, unsigned long, const char*, int, const char*, ...) {}

/// One connection and one message from rank 0 to rank 1, and all closed.
void once(Rank& rank, int device = 0) {
  int number = 41 + rank.index();
  if (rank.index() == 0) {
    void* const comm = rank.connectTo(1, device);
    rank.completeOk(rank.isend(comm, &number, 4, 0), {4});
    rank.meet(1);
    NET_OK(rank.net().closeSend(comm));
  } else {
    const Link link = rank.acceptFrom(0, device);
    rank.completeOk(rank.irecv(link.comm, {&number}, {4}, {0}), {4});
    NET_EQ(number, 41);
    rank.meet(0);
    NET_OK(rank.net().closeRecv(link.comm));
    NET_OK(rank.net().closeListen(link.listener));
  }
}

TEST(NetLibrary, OffersVersions8To12AndNothingElse) {
  runRanks({}, 1, [](Rank& rank) {
    for (const char* path : {"libnccl-net-ulysses.so", static_cast<const char*>(getenv("ULYSSES_TEST_PLUGIN"))}) {
      NET_CHECK(path);
      const Library library(path);
      for (int version = 1; version <= 20; ++version) {
        const std::string number = std::to_string(version);
        NET_EQ(library.symbol("ncclNetPlugin_v" + number) != nullptr, version >= 8 && version <= 12);
        for (const char* other : {"ncclCollNetPlugin_v", "ncclTunerPlugin_v", "ncclProfiler_v", "ncclGinPlugin_v"})
          NET_CHECK(!library.symbol(other + number));
      }
    }
    NET_CHECK(std::string(rank.net().name()) == "Ulysses");
  });
}

TEST_P(NetPlugin, DescribesItsDevices) {
  runRanks(GetParam(), 1, [](Rank& rank) {
    int count = 0;
    NET_OK(rank.net().devices(&count));
    NET_CHECK(count >= 1);
    std::set<std::string> names;
    for (int i = 0; i < count; ++i) {
      Device device;
      NET_OK(rank.net().properties(i, device));
      NET_CHECK(!device.name.empty() && names.insert(device.name).second);
      NET_CHECK(device.pciPath.empty() || std::filesystem::exists(device.pciPath));
      NET_CHECK(device.guid != 0 && device.speed > 0 && device.port >= 0 && device.latency >= 0);
      NET_EQ(device.ptrSupport, nccl::kPointerHost);
      NET_EQ(device.regIsGlobal, 0);
      NET_EQ(device.forceFlush, 0);
      NET_EQ(device.maxRecvs, 8);
      NET_CHECK(device.maxComms > 1000);
      NET_EQ(device.netDeviceType, nccl::kDeviceTypeHost);
      NET_EQ(device.netDeviceVersion, 0);
      if (GetParam().version >= 9) {
        NET_CHECK(device.maxP2pBytes > 0 && device.maxP2pBytes <= size_t{1} << 31);
        NET_EQ(device.fused, 1);
        NET_EQ(device.fusedFirst, i);
      }
      if (GetParam().version >= 11) NET_EQ(device.maxMultiRequestSize, 1);
      if (GetParam().version >= 12) NET_CHECK(device.railId == -1 && device.planeId == -1);
    }
    Device none;
    NET_EQ(rank.net().properties(count, none), NcclResult::InvalidArgument);
    NET_EQ(rank.net().properties(-1, none), NcclResult::InvalidArgument);
  });
}

TEST_P(NetPlugin, EveryDeviceConnects) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    int count = 0;
    NET_OK(rank.net().devices(&count));
    for (int device = 0; device < count; ++device) once(rank, device);
  });
}

TEST(NetDevices, LoopbackWhenAskedFor) {
  setenv("UCX_NET_DEVICES", "lo", 1);
  runRanks({}, 2, [](Rank& rank) {
    Device device;
    NET_OK(rank.net().properties(0, device));
    NET_CHECK(device.name == "lo" && device.pciPath.empty());
    once(rank);
  });
  unsetenv("UCX_NET_DEVICES");
}

TEST_P(NetPlugin, FinalizeOfNothing) {
  runRanks(GetParam(), 1, [](Rank& rank) {
    NET_OK(rank.net().finalize(true));
    int count = 0;
    NET_OK(rank.net().devices(&count));
    NET_CHECK(count > 0);
  });
}

/// Init and finalize are for each communicator: the end of one leaves the others.
TEST_P(NetPlugin, Contexts) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    const std::unique_ptr<Net> other = rank.library().net(GetParam().version);
    NET_OK(other->init(ignoreLine));
    once(rank);
    NET_OK(other->finalize());
    once(rank);
    for (int i = 0; i < 20; ++i) {
      NET_OK(other->init(ignoreLine));
      NET_OK(other->finalize());
    }
    once(rank);
  });
}

/// After all is closed no thread of the plugin is left, and no descriptor however often it is loaded.
TEST_P(NetPlugin, IsLoadedAgainAndAgain) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    const size_t threadsBefore = threads();
    size_t descriptorsBefore = 0;
    for (int i = 0; i < 6; ++i) {
      once(rank);
      rank.close();
      // A version without finalize has nowhere to wait for a connection that lingers.
      waitFor("the threads to end", [&] { return threads() == threadsBefore; });
      if (i == 0) descriptorsBefore = descriptors();
      waitFor("the descriptors to be closed", [&] { return descriptors() == descriptorsBefore; });
      rank.reopen();
    }
  });
}

TEST_P(NetPlugin, Memory) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::vector<char> data(100'003);
    void* mhandle = nullptr;
    const auto tryAll = [&](void* comm) {
      for (const size_t offset : {0, 1, 4095})
        for (const size_t bytes : {size_t{0}, size_t{1}, data.size() - offset}) {
          mhandle = &mhandle;
          NET_OK(rank.net().regMr(comm, data.data() + offset, bytes, nccl::kPointerHost, &mhandle));
          NET_OK(rank.net().deregMr(comm, mhandle));
        }
      NET_OK(rank.net().regMr(comm, nullptr, 0, nccl::kPointerHost, &mhandle));
      NET_OK(rank.net().deregMr(comm, mhandle));
      // Memory of a GPU is not offered, so it is refused and not taken for host memory.
      mhandle = &mhandle;
      NET_EQ(rank.net().regMr(comm, data.data(), 100, 2, &mhandle), NcclResult::InvalidArgument);
      NET_CHECK(mhandle == nullptr);
      NET_CHECK(wasLogged("WARN", "regMr: memory of type 2: want 1 (host), all that the device offers"));
      mhandle = &mhandle;
      NET_EQ(rank.net().regMrDmaBuf(comm, data.data(), 100, 2, &mhandle), NcclResult::InvalidArgument);
      NET_CHECK(mhandle == nullptr);
      NET_CHECK(wasLogged("WARN", "regMrDmaBuf: a DMA-BUF is not taken (descriptor -1, memory of type 2)"));
    };
    if (rank.index() == 0) {
      void* const comm = rank.connectTo(1);
      tryAll(comm);
      rank.meet(1);
      NET_OK(rank.net().closeSend(comm));
    } else {
      const Link link = rank.acceptFrom(0);
      tryAll(link.comm);
      void* request = &request;
      void* pointer = data.data();
      int bytes = 0;
      NET_OK(rank.net().iflush(link.comm, 1, &pointer, &bytes, &mhandle, &request));
      NET_CHECK(request == nullptr);
      rank.meet(0);
      NET_OK(rank.net().closeRecv(link.comm));
      NET_OK(rank.net().closeListen(link.listener));
    }
  });
}

/// As NCCL's service thread registers on a connection that its progress thread uses.
TEST_P(NetPlugin, RegistersWhileItSends) {
  constexpr size_t kBytes = 300'000;
  runRanks(GetParam(), 2, [](Rank& rank) {
    const Link link = rank.index() == 1 ? rank.acceptFrom(0) : Link{};
    void* const comm = rank.index() == 1 ? link.comm : rank.connectTo(1);
    std::atomic<bool> ends{false};
    std::atomic<int> bad{0};
    std::thread registering([&] {
      std::vector<char> memory(1 << 20);
      for (size_t i = 0; !ends; i = (i + 4096) % memory.size()) {
        void* mhandle = nullptr;
        if (rank.net().regMr(comm, memory.data() + i, memory.size() - i, nccl::kPointerHost, &mhandle) !=
                NcclResult::Success ||
            rank.net().deregMr(comm, mhandle) != NcclResult::Success)
          ++bad;
      }
    });
    std::vector<char> data = pattern(kBytes, 2), got(kBytes);
    for (int i = 0; i < 100; ++i) {
      if (rank.index() == 0) {
        rank.completeOk(rank.isend(comm, data.data(), kBytes, 0), {static_cast<int>(kBytes)});
      } else {
        rank.completeOk(rank.irecv(comm, {got.data()}, {kBytes}, {0}), {static_cast<int>(kBytes)});
        NET_CHECK(got == data);
      }
    }
    ends = true;
    registering.join();
    NET_EQ(bad.load(), 0);
    rank.meet(1 - rank.index());
    if (rank.index() == 0) {
      NET_OK(rank.net().closeSend(comm));
    } else {
      NET_OK(rank.net().closeRecv(comm));
      NET_OK(rank.net().closeListen(link.listener));
    }
  });
}

/// Several threads, each with connections of its own, as several communicators of a process.
TEST_P(NetPlugin, ThreadsWithConnectionsOfTheirOwn) {
  constexpr size_t kThreads = 4;
  constexpr size_t kBytes = 60'000;
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::array<void*, kThreads> comms{}, listeners{};
    for (size_t i = 0; i < kThreads; ++i) {
      if (rank.index() == 0) {
        comms[i] = rank.connectTo(1);
      } else {
        const Link link = rank.acceptFrom(0);
        comms[i] = link.comm;
        listeners[i] = link.listener;
      }
    }
    std::atomic<int> bad{0};
    std::vector<std::thread> workers;
    for (size_t i = 0; i < kThreads; ++i)
      workers.emplace_back([&, i] {
        try {
          for (unsigned round = 0; round < 60; ++round) {
            std::vector<char> data = pattern(kBytes, round * 10 + static_cast<unsigned>(i)), got(kBytes);
            if (rank.index() == 0) {
              rank.completeOk(rank.isend(comms[i], data.data(), kBytes, 0), {static_cast<int>(kBytes)});
            } else {
              rank.completeOk(rank.irecv(comms[i], {got.data()}, {kBytes}, {0}), {static_cast<int>(kBytes)});
              NET_CHECK(got == data);
            }
          }
          if (rank.index() == 1) NET_OK(rank.net().closeRecv(comms[i]));
          if (rank.index() == 0) NET_OK(rank.net().closeSend(comms[i]));
        } catch (const Failed& failed) {
          fprintf(stderr, "thread %zu: %s\n", i, failed.text.c_str());
          ++bad;
        }
      });
    for (std::thread& worker : workers) worker.join();
    NET_EQ(bad.load(), 0);
    for (void* listener : listeners)
      if (listener) NET_OK(rank.net().closeListen(listener));
  });
}

/// All that it has to say goes to NCCL's logger, also when a peer dies.
TEST_P(NetPlugin, WritesNothingItself) {
  const std::string file = testing::TempDir() + "nccl_net_output_" + std::to_string(getpid());
  runRanks(GetParam(), 2, [&](Rank& rank) {
    void* const comm = rank.index() == 0 ? rank.connectTo(1) : rank.acceptFrom(0).comm;
    rank.meet(1 - rank.index());
    if (rank.index() == 1) _exit(0);
    NET_CHECK(freopen(file.c_str(), "w", stdout) && freopen(file.c_str(), "a", stderr));
    NET_EQ(rank.sendUntilError(comm), NcclResult::RemoteError);
    usleep(100'000);
    NET_OK(rank.net().closeSend(comm));
    bool told = false;
    for (const std::string& line : logged()) told = told || line.find("peer") != std::string::npos;
    NET_CHECK(told);
  });
  EXPECT_EQ(std::filesystem::file_size(file), 0) << "see " << file;
  if (!HasFailure()) std::filesystem::remove(file);
}

}  // namespace
}  // namespace ulysses::nccl_test
