// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ulyssesCommRegisterFd with every kind of file and every mistake, ulyssesCommRegister, ulyssesMemAlloc.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <limits>

#include "fault/census.h"
#include "fault/local_ranks.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr std::size_t kPage = 4096, kBytes = 16 * kPage;

/// A file of kBytes and a mapping of all of it.
struct File {
  explicit File(bool named, int flags = MAP_SHARED) {
    const std::string name = "/ulysses-register-test-" + std::to_string(getpid());
    fd = named ? shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600) : memfd_create("test", MFD_CLOEXEC);
    if (named) shm_unlink(name.c_str());
    if (fd < 0 || ftruncate(fd, kBytes) != 0) return;
    data = static_cast<std::byte*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, flags, fd, 0));
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (data) munmap(data, kBytes);
    close(fd);
  }
  int fd = -1;
  std::byte* data = nullptr;
};

class Register : public testing::Test {
 protected:
  ulyssesResult_t registerFd(void* pointer, std::size_t bytes, int fd, std::int64_t offset) {
    return ulyssesCommRegisterFd(ranks_.comm(0), pointer, bytes, fd, offset, &handle_);
  }
  void expectRefused(ulyssesResult_t result, const std::vector<std::string>& parts) {
    EXPECT_EQ(nameOf(result), nameOf(ulyssesInvalidArgument));
    EXPECT_EQ(missingFrom(lastError(), parts), "");
    EXPECT_EQ(handle_, nullptr);
  }
  LocalRanks ranks_{2};
  void* handle_ = nullptr;
};

TEST_F(Register, Mistakes) {
  const File file(false), other(false), copy(false, MAP_PRIVATE);
  ASSERT_NE(file.data, nullptr);
  const std::string pastEnd = "is past the end of fd=";
  expectRefused(registerFd(file.data, kBytes, -1, 0), {"fd=-1"});
  expectRefused(registerFd(file.data, kBytes, 987'654, 0), {"fd=987654", "Bad file descriptor"});
  expectRefused(registerFd(file.data, kBytes, other.fd, 0), {"not a MAP_SHARED mapping of fd="});
  expectRefused(registerFd(copy.data, kBytes, copy.fd, 0), {"not a MAP_SHARED mapping of fd="});
  expectRefused(registerFd(file.data, kPage, file.fd, kPage), {"not a MAP_SHARED mapping", "offset=4096"});
  expectRefused(registerFd(file.data + kPage, kPage, file.fd, 0), {"not a MAP_SHARED mapping", "offset=0"});
  expectRefused(registerFd(file.data, kPage, file.fd, 100), {"offset=100", "multiple of the page size"});
  expectRefused(registerFd(file.data, kPage, file.fd, -4096), {"offset=-4096"});
  expectRefused(registerFd(file.data, kBytes + 1, file.fd, 0), {pastEnd, "65537", "65536"});
  expectRefused(registerFd(file.data, kBytes, file.fd, kPage), {pastEnd});
  expectRefused(registerFd(file.data, std::numeric_limits<std::size_t>::max(), file.fd, kPage), {pastEnd});
  expectRefused(registerFd(nullptr, kBytes, file.fd, 0), {"pointer is NULL"});
  expectRefused(registerFd(file.data, 0, file.fd, 0), {"size=0"});
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  expectRefused(registerFd(file.data, kBytes, ends[0], 0), {"not a memfd"});
  for (const int end : ends) close(end);
  std::byte local[64];
  expectRefused(registerFd(local, sizeof local, file.fd, 0), {"not a MAP_SHARED mapping"});
  EXPECT_EQ(ulyssesCommRegisterFd(ranks_.comm(0), file.data, kBytes, file.fd, 0, nullptr), ulyssesInvalidArgument);
}

TEST_F(Register, TwiceAndDeregisterTwice) {
  const Census before = takeCensus();
  const File file(true);
  ASSERT_EQ(registerFd(file.data, kBytes, file.fd, 0), ulyssesSuccess) << lastError();
  void* const handle = handle_;
  expectRefused(registerFd(file.data, kBytes, file.fd, 0), {"already registered"});
  expectRefused(registerFd(file.data + kPage, kPage, file.fd, kPage), {"already registered"});
  EXPECT_EQ(ulyssesMemFree(file.data), ulyssesInvalidArgument) << "not from ulyssesMemAlloc";
  EXPECT_EQ(ulyssesCommDeregister(ranks_.comm(0), handle), ulyssesSuccess) << lastError();
  EXPECT_EQ(ulyssesCommDeregister(ranks_.comm(0), handle), ulyssesInvalidArgument);
  EXPECT_EQ(missingFrom(lastError(), {"deregistered before"}), "");
  EXPECT_EQ(ulyssesCommDeregister(ranks_.comm(0), nullptr), ulyssesInvalidArgument);
  EXPECT_EQ(takeCensus().fds, before.fds + 1) << "the library's duplicate is open still";
}

TEST_F(Register, PlainMemory) {
  std::vector<char> memory(1000);
  EXPECT_EQ(ulyssesCommRegister(ranks_.comm(0), memory.data(), 1000, &handle_), ulyssesNotSupported);
  EXPECT_EQ(missingFrom(lastError(), {"private memory", "ulyssesMemAlloc", "ulyssesCommRegisterFd"}), "");
  void* segment = nullptr;
  ASSERT_EQ(ulyssesMemAlloc(&segment, 10'000), ulyssesSuccess);
  EXPECT_EQ(ulyssesCommRegister(ranks_.comm(0), static_cast<char*>(segment) + 100, 9000, &handle_), ulyssesSuccess);
  EXPECT_EQ(ulyssesCommDeregister(ranks_.comm(0), handle_), ulyssesSuccess);
  EXPECT_EQ(ulyssesCommRegister(ranks_.comm(0), static_cast<char*>(segment) + 100, 1 << 20, &handle_),
            ulyssesNotSupported)
      << "reaches past the segment";
  EXPECT_EQ(ulyssesMemFree(segment), ulyssesSuccess);
  EXPECT_EQ(ulyssesMemFree(segment), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesMemFree(memory.data()), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesMemFree(nullptr), ulyssesSuccess);
}

TEST(MemAlloc, SizesThatCannotBe) {
  void* memory = &memory;
  EXPECT_EQ(ulyssesMemAlloc(&memory, 0), ulyssesInvalidArgument);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(ulyssesMemAlloc(&memory, std::numeric_limits<std::size_t>::max()), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesMemAlloc(nullptr, 1), ulyssesInvalidArgument);
  EXPECT_EQ(ulyssesMemAlloc(&memory, std::size_t{1} << 50), ulyssesOutOfMemory);
  EXPECT_EQ(missingFrom(lastError(), {"1125899906842624 bytes", "needed", "available under"}), "");
}

/// Files of both kinds, registered from an offset on, carry an exchange; the caller's fd is closed before.
TEST(RegisterFd, CarriesAnExchange) {
  Team team(2, [](Rank& rank) {
    const Census before = takeCensus();
    const ulyssesComm_t comm = rank.join(5000);
    for (const bool named : {false, true}) {
      File file(named);
      void* handle = nullptr;
      rank.expectResult(ulyssesCommRegisterFd(comm, file.data + kPage, kBytes - kPage, file.fd, kPage, &handle),
                        ulyssesSuccess, "register");
      auto* input = reinterpret_cast<std::int32_t*>(file.data + 2 * kPage);
      std::int32_t output[64];
      for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 64; ++i) input[i] = rank.rank() * 1000 + round * 100'000 + i;
        ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
        geometry.sequence = 16;
        geometry.heads = 2;
        ulyssesTensor_t tensor = {};
        tensor.input = input;
        tensor.output = output;
        tensor.headDim = 4;
        tensor.dtype = ulyssesInt32;
        rank.expectResult(ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), ulyssesSuccess, "exchange");
        for (int i = 0; i < 64; ++i) {
          const int from = i / 32, token = i % 32 / 4;
          if (!rank.expect(output[i] == from * 1000 + round * 100'000 + token * 8 + rank.rank() * 4 + i % 4, "bytes"))
            return;
        }
      }
      rank.expectResult(ulyssesCommDeregister(comm, handle), ulyssesSuccess, "deregister");
    }
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    rank.expectNone(changeSince(before), "left behind");
  });
  team.expectRight();
}

TEST(MemAllocDevice, WithoutAGpuItSaysSo) {
  void* memory = nullptr;
  const ulyssesResult_t result = ulyssesMemAllocDevice(&memory, kBytes);
  if (result == ulyssesSuccess) {
    EXPECT_EQ(ulyssesMemFree(memory), ulyssesSuccess);
    GTEST_SKIP() << "there is a GPU";
  }
  EXPECT_EQ(result, ulyssesNotSupported);
  EXPECT_EQ(memory, nullptr);
  const std::string text = ulyssesGetLastError(nullptr);
  EXPECT_TRUE(text.find("without CUDA") != std::string::npos || text.find("nvidia-smi") != std::string::npos) << text;
}

}  // namespace

}  // namespace ulysses::test
