// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The registry of memory that peers can map.
#include "path/shm/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path/shm/memfd.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

SegmentRegistry& registry() { return SegmentRegistry::instance(); }

TEST(Memfd, IsSealedAndWhole) {
  const UniqueFd fd = createMemfd("test", 8192);
  EXPECT_NE(ftruncate(fd.get(), 0), 0);
  EXPECT_NE(ftruncate(fd.get(), 1 << 20), 0);
  EXPECT_NE(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0) << "a peer could make it read-only for its owner";
  struct stat file {};
  ASSERT_EQ(fstat(fd.get(), &file), 0);
  EXPECT_EQ(file.st_size, 8192);
  EXPECT_GE(file.st_blocks * 512, 8192);
  EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Memfd, MoreThanThereIsSaysBothNumbers) {
  const std::string error = errorOf([] { createMemfd("test", std::size_t{1} << 60); });
  EXPECT_EQ(error.rfind("OutOfMemory: 1152921504606846976 bytes of shared memory needed, ", 0), 0u) << error;
  EXPECT_NE(error.find(" available under "), std::string::npos) << error;
}

TEST(Registry, AllocatesZeroedPagesAndFindsThem) {
  const std::uint64_t epoch = registry().epoch();
  const auto segment = registry().allocate(5000);
  EXPECT_NE(registry().epoch(), epoch);
  EXPECT_EQ(segment->bytes, 8192u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(segment->base) % 4096, 0u);
  for (std::size_t i = 0; i < segment->bytes; ++i) ASSERT_EQ(segment->base[i], std::byte{0});
  EXPECT_EQ(registry().find(segment->base, 8192), segment);
  EXPECT_EQ(registry().find(segment->base + 100, 8092), segment);
  EXPECT_NE(registry().find(segment->base + 100, 8093), segment);
  EXPECT_NE(registry().find(segment->base - 1, 1), segment);
  EXPECT_FALSE(registry().release(segment->base + 4096, true)) << "not its base";
  EXPECT_FALSE(registry().release(segment->base, false)) << "not the caller's";
  EXPECT_TRUE(registry().release(segment->base, true));
  EXPECT_TRUE(segment->freed.load());
  EXPECT_FALSE(registry().release(segment->base, true)) << "twice";
}

TEST(Registry, IdsAreNeverUsedAgain) {
  const auto first = registry().allocate(4096);
  const std::uint64_t id = first->id;
  registry().release(first->base, true);
  const auto second = registry().allocate(4096);
  EXPECT_GT(second->id, id);
  registry().release(second->base, true);
}

// Peers that still have it mapped do not keep the memory of a big tensor alive.
TEST(Registry, ReleaseGivesThePagesBackAtOnce) {
  const auto segment = registry().allocate(1 << 20);
  const UniqueFd peers(fcntl(segment->fd.get(), F_DUPFD_CLOEXEC, 0));
  struct stat file {};
  ASSERT_EQ(fstat(peers.get(), &file), 0);
  EXPECT_GE(file.st_blocks * 512, 1 << 20);
  registry().release(segment->base, true);
  ASSERT_EQ(fstat(peers.get(), &file), 0);
  EXPECT_EQ(file.st_blocks, 0);
}

TEST(Registry, RefusesNothingAndTooMuch) {
  EXPECT_EQ(errorOf([] { registry().allocate(0); }), "InvalidArgument: bytes=0: want at least 1");
  EXPECT_NE(errorOf([] { registry().allocate(~std::size_t{0}); }).find("too large"), std::string::npos);
}

/// A caller's own shared mapping of the second and third page of a file of four.
class Adopted : public testing::Test {
 protected:
  std::string error(void* pointer, std::size_t bytes, int fd, std::int64_t offset) {
    return errorOf([&] {
      const auto segment = registry().adopt(pointer, bytes, fd, offset);
      registry().release(segment->base, false);
    });
  }
  void expectError(const std::string& text, void* pointer, std::size_t bytes, int fd, std::int64_t offset) {
    const std::string got = error(pointer, bytes, fd, offset);
    EXPECT_EQ(got.rfind("InvalidArgument: ", 0), 0u) << got;
    EXPECT_NE(got.find(text), std::string::npos) << got;
  }
  UniqueFd fd_ = createMemfd("caller", 4 * 4096);
  UniqueFd other_ = createMemfd("other", 4 * 4096);
  Mapping memory_{fd_.get(), 4096, 2 * 4096, PROT_READ | PROT_WRITE};
};

TEST_F(Adopted, IsFoundAndOutlivesTheCallersDescriptor) {
  const auto segment = registry().adopt(memory_.data(), 2 * 4096, fd_.get(), 4096);
  fd_.reset();
  EXPECT_EQ(registry().find(memory_.data() + 4000, 200), segment);
  EXPECT_NE(fcntl(segment->fd.get(), F_GETFD), -1);
  EXPECT_NE(
      errorOf([&] { registry().adopt(memory_.data(), 4096, segment->fd.get(), 4096); }).find("already registered"),
      std::string::npos);
  EXPECT_TRUE(registry().release(memory_.data(), false));
  memory_.data()[0] = std::byte{1};  // still the caller's
}

TEST_F(Adopted, WhatDoesNotFitIsNamed) {
  EXPECT_EQ(error(memory_.data(), 2 * 4096, fd_.get(), 4096), "");
  EXPECT_EQ(error(memory_.data() + 4096, 4096, fd_.get(), 2 * 4096), "") << "part of the mapping";
  expectError("pointer is NULL", nullptr, 4096, fd_.get(), 0);
  expectError("size=0", memory_.data(), 0, fd_.get(), 4096);
  expectError("offset=-4096", memory_.data(), 4096, fd_.get(), -4096);
  expectError("offset=4097", memory_.data(), 4096, fd_.get(), 4097);
  expectError("fd=-1", memory_.data(), 4096, -1, 4096);
  expectError("past the end", memory_.data(), 4 * 4096, fd_.get(), 4096);
  expectError("past the end", memory_.data(), ~std::size_t{0}, fd_.get(), 4096);
  expectError("not a MAP_SHARED mapping", memory_.data(), 4096, fd_.get(), 0);
  expectError("not a MAP_SHARED mapping", memory_.data(), 4096, other_.get(), 4096);
  expectError("not a MAP_SHARED mapping", memory_.data(), 3 * 4096, fd_.get(), 4096);
}

TEST_F(Adopted, PrivateMappingsAreRefused) {
  void* mine = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd_.get(), 0);
  ASSERT_NE(mine, MAP_FAILED);
  expectError("not a MAP_SHARED mapping", mine, 4096, fd_.get(), 0);
  munmap(mine, 4096);
  int pipes[2];
  ASSERT_EQ(pipe2(pipes, O_CLOEXEC), 0);
  const UniqueFd in(pipes[0]), out(pipes[1]);
  expectError("not a memfd", memory_.data(), 4096, in.get(), 0);
}

}  // namespace
}  // namespace ulysses::test
