// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory of cuMemMap of ranks that are processes: each mapping is a file, whose descriptor the peers are passed.
#include <sys/resource.h>

#include <algorithm>
#include <barrier>
#include <csignal>
#include <filesystem>

#include "base/check.h"
#include "device_api.h"
#include "fault/census.h"
#include "fault/team.h"
#include "process_pages.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kPage = 4096, kPages = 40;  // more than are passed at once
constexpr std::int64_t kTensorBytes = User::kFloats * std::int64_t{sizeof(float)};
constexpr std::int64_t kBegin = 640, kEnd = kPages * kPage - 640;  // of what is registered

/// A rank whose tensors lie across the end of a page, in memory of many mappings; its ends are not registered.
class MappedUser {
 public:
  enum class Kind : std::uint8_t { Exportable, NotExportable };

  /// `as`: the communicator's rank; -1: the process's.
  MappedUser(const Rank& rank, Kind kind, int as = -1) : rank_(rank) {
    user_.comm = rank.join(20'000, 0, as, kRanks);
    user_.rank = as < 0 ? rank.rank() : as;
    base_ = kind == Kind::Exportable ? user_.gpu.allocateExportable(kPages * kPage, kPage)
                                     : user_.gpu.allocateSideBySide(kPages * kPage, kPage, true);
    moveTo(acrossPage(17));
  }
  ~MappedUser() {
    user_.stream.wait();
    rank_.expectResult(ulyssesCommDestroy(user_.comm), ulyssesSuccess, "destroy");
    user_.gpu.free(base_);
  }
  MappedUser(const MappedUser&) = delete;
  MappedUser& operator=(const MappedUser&) = delete;

  static std::int64_t acrossPage(std::int64_t page) { return page * kPage - kTensorBytes / 2 / 64 * 64; }
  void moveTo(std::int64_t byte) {
    user_.memory = reinterpret_cast<float*>(base_ + byte);
    user_.fill();
  }
  void* add() {
    void* handle = nullptr;
    const ulyssesResult_t result = ulyssesCommRegister(user_.comm, base_ + kBegin, kEnd - kBegin, &handle);
    rank_.expectResult(result, ulyssesSuccess, std::string("register: ") + ulyssesGetLastError(nullptr));
    return handle;
  }
  void remove(void* handle) {
    rank_.expectResult(ulyssesCommDeregister(user_.comm, handle), ulyssesSuccess, "deregister");
  }
  /// By all ranks; `meet` returns when all have called it.
  void expectThereAndBack(Rank& rank) {
    expectThereAndBack(rank, [&] { rank.meet(); });
  }
  void expectThereAndBack(const Rank& rank, const std::function<void()>& meet) {
    rank.expectResult(user_.exchange(false), ulyssesSuccess, "scatter");
    user_.stream.wait();
    rank.expect(user_.isGathered(), "wrong values of a scatter");
    meet();
    std::fill_n(user_.memory, User::kQuery + User::kKv, -1.0F);
    meet();
    rank.expectResult(user_.exchange(true), ulyssesSuccess, "gather");
    user_.stream.wait();
    rank.expect(user_.isBack(), "wrong values of a gather");
    rank.expectResult(user_.asyncError(), ulyssesSuccess, "on the device");
    meet();
    user_.fill();
    meet();
  }
  /// "": the memory itself is mapped.
  void expectStaged(const std::string& why) {
    std::vector<char> dump(1 << 20);
    rank_.expectResult(ulyssesCommDump(user_.comm, dump.data(), dump.size(), nullptr), ulyssesSuccess, "dump");
    const std::string all = dump.data(), wanted = why.empty() ? "\"staged\":null" : why;
    std::string text = all.substr(all.find("\"gpu_memory\""));
    text.resize(text.find(']'));
    std::ranges::replace(text, '\n', ' ');
    rank_.expect(text.find(wanted) != std::string::npos, "'" + wanted + "' is not in " + text);
  }

 private:
  const Rank& rank_;
  User user_;
  std::byte* base_ = nullptr;
};

class MappedMemory : public testing::Test {
 protected:
  void expectRight(const std::function<void(Rank&)>& body, int processes = kRanks) {
    Team team(processes, [&](Rank& rank) {
      enter(rank);
      body(rank);
      rank.expect(CpuRuntime::held() == 0, std::to_string(CpuRuntime::held()) + " pieces of GPU memory are left");
    });
    team.expectRight();
  }
  void enter(const Rank& rank) const { pages_.give(rank.rank()); }

 private:
  ProcessPages pages_{kRanks};
};

TEST_F(MappedMemory, IsMappedByDescriptorsOfWhichNoneIsKept) {
  expectRight([](Rank& rank) {
    MappedUser user(rank, MappedUser::Kind::Exportable);
    user.remove(user.add());  // what ranks tell each other goes by memory of its own
    const Census before = takeCensus();
    void* const first = user.add();
    void* const second = user.add();
    user.expectStaged("");
    rank.expectNone(changeSince(before), "after registering");
    rank.expect(takeCensus().files == before.files + 2 * (kRanks - 1) * kPages, "not all mappings are files'");
    user.expectThereAndBack(rank);
    // Between the batches, and at either end.
    for (const std::int64_t byte :
         {MappedUser::acrossPage(16), MappedUser::acrossPage(32), kBegin, kEnd - kTensorBytes}) {
      user.moveTo(byte);
      rank.meet();
      user.expectThereAndBack(rank);
    }
    user.remove(first);
    user.expectThereAndBack(rank);
    user.remove(second);
    rank.expect(takeCensus().files == before.files, "memory of peers is mapped still");
    rank.meet();
  });
}

/// Descriptors of mappings that this process holds.
std::int64_t heldDescriptors() {
  std::int64_t held = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own
    held += std::filesystem::read_symlink(entry, gone).string().find("device memory") != std::string::npos;
  }
  return held;
}

/// What a rank of two in a process does, or the one of another; `meet`: all three.
void runBesideAnother(Rank& process, int as, const std::function<void()>& meet) {
  MappedUser user(process, MappedUser::Kind::Exportable, as);
  void* const handle = user.add();
  meet();
  const std::int64_t held = heldDescriptors(), own = (as == 2 ? 1 : 2) * kPages;
  process.expect(held == own, std::to_string(held) + " descriptors of mappings for " + std::to_string(own));
  user.expectStaged("");
  user.expectThereAndBack(process, meet);
  user.remove(handle);
}

// Descriptors go to all ranks; those of a rank's own process need none.
TEST_F(MappedMemory, IsMappedWhereSomeRanksAreThreadsOfOneProcess) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "each of the two has mapped the board: what orders them by one address is not seen by the other";
#endif
  expectRight(
      [](Rank& process) {
        if (process.rank() == 1) return runBesideAnother(process, 2, [&] { process.meet(); });
        std::barrier<std::function<void()>> both(2, [&] { process.meet(); });
        std::vector<std::jthread> ranks;
        for (const int as : {0, 1})
          ranks.emplace_back([&, as] { runBesideAnother(process, as, [&] { both.arrive_and_wait(); }); });
      },
      2);
}

TEST_F(MappedMemory, ThatWasNotMadeToBeExportedIsStaged) {
  expectRight([](Rank& rank) {
    const bool can = rank.rank() != 1;
    MappedUser user(rank, can ? MappedUser::Kind::Exportable : MappedUser::Kind::NotExportable);
    user.add();
    user.expectStaged(can ? "" : "it was not made to be exported");
    user.expectThereAndBack(rank);
  });
}

TEST_F(MappedMemory, ThatOneRankCannotMapIsStagedAtItsPeers) {
  expectRight([](Rank& rank) {
    MappedUser user(rank, MappedUser::Kind::Exportable);
    if (rank.rank() == 2) CpuRuntime::failMap(0);
    user.add();
    user.expectStaged(rank.rank() == 2 ? "" : "rank 2 cannot map them: the test's mapping failed");
    user.expectThereAndBack(rank);
  });
}

// Its own are not exported then, and no others arrive.
TEST_F(MappedMemory, IsStagedWhereARankHasNoDescriptorsLeft) {
  expectRight([](Rank& rank) {
    MappedUser user(rank, MappedUser::Kind::Exportable);
    user.remove(user.add());  // what ranks tell each other goes by memory of its own
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    if (const rlimit none{1, before.rlim_max}; rank.rank() == 0) setrlimit(RLIMIT_NOFILE, &none);
    user.add();
    setrlimit(RLIMIT_NOFILE, &before);
    user.expectStaged(rank.rank() == 0 ? "Too many open files"
                                       : "rank 0 cannot map them: receiving a descriptor failed: Too many open files");
    user.expectThereAndBack(rank);
  });
}

// What the owner finds out only when others wait for the batch.
TEST_F(MappedMemory, IsStagedWhereALaterBatchCannotBeExported) {
  expectRight([](Rank& rank) {
    MappedUser user(rank, MappedUser::Kind::Exportable);
    if (rank.rank() == 1)
      CpuRuntime::atExport(kPages + 20, [] { ulysses::raise(Result::SystemError, "the test's export failed"); });
    user.add();
    user.expectStaged(rank.rank() == 1 ? "rank 0 cannot map them: the test's export failed" : "");
    user.expectThereAndBack(rank);
  });
}

// Its peers have one batch, and wait for the next.
TEST_F(MappedMemory, OfARankThatDiesMeanwhileIsAnErrorThatLeavesNothing) {
  Team team(kRanks, [&](Rank& rank) {
    enter(rank);
    User user;
    user.comm = rank.join(20'000);
    std::byte* const memory = user.gpu.allocateExportable(kPages * kPage, kPage);
    if (rank.rank() == 1) CpuRuntime::atExport(kPages + 20, [] { static_cast<void>(std::raise(SIGKILL)); });
    void* handle = nullptr;
    rank.expectResult(ulyssesCommRegister(user.comm, memory, kPages * kPage, &handle), ulyssesRemoteLost, "register");
    rank.expectText(ulyssesGetLastError(user.comm), {"rank 1 was lost"}, "of a killed rank");
    rank.expect(heldDescriptors() == kPages, std::to_string(heldDescriptors()) + " descriptors are held");
    rank.expectResult(ulyssesCommDestroy(user.comm), ulyssesSuccess, "destroy");
    user.gpu.free(memory);
    rank.expect(CpuRuntime::held() == 0, "GPU memory is left");
  });
  team.expectKilled(1);
  team.expectRight();
}

}  // namespace
}  // namespace ulysses::test
