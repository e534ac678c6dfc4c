// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory of a GPU, over a stand-in for a UCX that takes it (cuda_ucx): what NCCL is offered, and what UCX is told.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "cuda_ucx/seen.h"
#include "net_setting.h"

namespace ulysses::nccl_test {
namespace {

class NetCuda : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Net, NetCuda, testing::ValuesIn(allSettings()), nameOfSetting);

template <typename Function>
Function symbolOf(const char* library, const char* name) {
  void* const handle = dlopen(library, RTLD_NOW);
  void* const symbol = handle ? dlsym(handle, name) : nullptr;
  NET_CHECK(symbol);
  return reinterpret_cast<Function>(symbol);
}

Seen& seen() { return *symbolOf<SeenFn>("libucp.so.0", "ulyssesTestSeen")(); }

/// As NCCL's threads, this one has a context.
void haveContext() {
  static int context;
  symbolOf<SetContextFn>("libcuda.so.1", "ulyssesTestSetContext")(&context);
}

bool wasWarned(const std::string& text) {
  return std::ranges::any_of(logged(), [&](const std::string& line) {
    return line.starts_with("WARN") && line.find(text) != std::string::npos;
  });
}

void* registered(Rank& rank, void* comm, std::vector<char>& data, int type) {
  void* mhandle = nullptr;
  NET_OK(rank.net().regMr(comm, data.data(), data.size(), type, &mhandle));
  NET_CHECK(mhandle);
  return mhandle;
}

void* send(Rank& rank, void* comm, std::vector<char>& data, int tag, void* mhandle) {
  void* request = nullptr;
  waitFor("a request", [&] {
    NET_OK(rank.net().isend(comm, data.data(), data.size(), tag, mhandle, &request));
    return request != nullptr;
  });
  return request;
}

void closeBoth(Rank& rank, void* sender, const Link& link) {
  rank.meet(1 - rank.index());
  if (sender) NET_OK(rank.net().closeSend(sender));
  if (!link.comm) return;
  NET_OK(rank.net().closeRecv(link.comm));
  NET_OK(rank.net().closeListen(link.listener));
}

TEST_P(NetCuda, IsOfferedWhereUcxTakesIt) {
  runRanks(GetParam(), 1, [](Rank& rank) {
    int count = 0;
    NET_OK(rank.net().devices(&count));
    for (int i = 0; i < count; ++i) {
      Device device;
      NET_OK(rank.net().properties(i, device));
      NET_EQ(device.ptrSupport, nccl::kPointerHost | nccl::kPointerCuda);
    }
    NET_CHECK(std::ranges::any_of(
        logged(), [](const std::string& line) { return line.find("host and CUDA memory") != std::string::npos; }));
  });
}

/// A message of each kind, and one without a handle; the receives are a group.
TEST_P(NetCuda, UcxIsToldWhichMemoryItIs) {
  constexpr size_t kBytes = 70'001;
  runRanks(GetParam(), 2, [](Rank& rank) {
    haveContext();
    std::vector<std::vector<char>> data;
    for (unsigned i = 0; i < 3; ++i) data.push_back(pattern(kBytes, rank.index() == 0 ? i : i + 100));
    void* const sender = rank.index() == 0 ? rank.connectTo(1) : nullptr;
    const Link link = rank.index() == 1 ? rank.acceptFrom(0) : Link{};
    void* const comm = sender ? sender : link.comm;
    void* handles[3] = {registered(rank, comm, data[0], nccl::kPointerCuda),
                        registered(rank, comm, data[1], nccl::kPointerHost), nullptr};
    if (sender) {
      std::vector<void*> requests;
      for (size_t i = 0; i < 3; ++i) requests.push_back(send(rank, comm, data[i], static_cast<int>(i), handles[i]));
      for (void* request : requests) rank.completeOk(request, {static_cast<int>(kBytes)});
      NET_EQ(seen().sent.load(), 1);
      NET_EQ(seen().hostSent.load(), 2);
    } else {
      void* pointers[3] = {data[0].data(), data[1].data(), data[2].data()};
      size_t sizes[3] = {kBytes, kBytes, kBytes};
      int tags[3] = {0, 1, 2};
      void* request = nullptr;
      NET_OK(rank.net().irecv(comm, 3, pointers, sizes, tags, handles, &request));
      rank.completeOk(request, {static_cast<int>(kBytes), static_cast<int>(kBytes), static_cast<int>(kBytes)});
      for (unsigned i = 0; i < 3; ++i) NET_CHECK(data[i] == pattern(kBytes, i));
      NET_EQ(seen().received.load(), 1);
      NET_EQ(seen().hostReceived.load(), 2);
      // UCX's copy was complete with its receive: there is nothing to flush.
      int bytes = kBytes;
      request = &request;
      NET_OK(rank.net().iflush(comm, 1, pointers, &bytes, handles, &request));
      NET_CHECK(request == nullptr);
    }
    NET_EQ(seen().mapped.load(), 1);
    NET_EQ(seen().hostMapped.load(), 1);
    for (void* handle : handles) NET_OK(rank.net().deregMr(comm, handle));
    closeBoth(rank, sender, link);
  });
}

/// UCX copies in its progress, in the current context; the plugin's thread, which moves on what NCCL does not, has none
/// of its own.
TEST_P(NetCuda, TheThreadHasTheContext) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    haveContext();
    std::vector<char> data(1000);
    void* const sender = rank.index() == 0 ? rank.connectTo(1) : nullptr;
    const Link link = rank.index() == 1 ? rank.acceptFrom(0) : Link{};
    void* const comm = sender ? sender : link.comm;
    void* const handle = registered(rank, comm, data, nccl::kPointerCuda);
    const int before = seen().progressWith;
    waitFor("the plugin's thread", [&] { return seen().progressWith > before + 3; });
    NET_EQ(seen().progressWithout.load(), 0);
    NET_OK(rank.net().deregMr(comm, handle));
    closeBoth(rank, sender, link);
  });
}

/// UCX's interface takes no descriptors, so they are not offered, and refused.
TEST_P(NetCuda, DmaBufIsRefused) {
  runRanks(GetParam(), 2, [](Rank& rank) {
    std::vector<char> data(1000);
    void* const sender = rank.index() == 0 ? rank.connectTo(1) : nullptr;
    const Link link = rank.index() == 1 ? rank.acceptFrom(0) : Link{};
    void* const comm = sender ? sender : link.comm;
    void* handle = &handle;
    NET_EQ(rank.net().regMrDmaBuf(comm, data.data(), data.size(), nccl::kPointerCuda, &handle),
           NcclResult::InvalidArgument);
    NET_CHECK(handle == nullptr);
    NET_CHECK(wasWarned("regMrDmaBuf: a DMA-BUF is not taken"));
    NET_EQ(rank.net().regMr(comm, data.data(), data.size(), 8, &handle), NcclResult::InvalidArgument);
    NET_CHECK(wasWarned("regMr: memory of type 8: want 1 (host) or 2 (CUDA)"));
    closeBoth(rank, sender, link);
  });
}

}  // namespace
}  // namespace ulysses::nccl_test
