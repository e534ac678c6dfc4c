// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Control messages as a broken or hostile peer would send them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>

#include "path/shm/fd_message.h"
#include "path/shm/memfd.h"
#include "path/shm/peer.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

constexpr std::uint64_t kFileBytes = 8192;

class ShmPeerTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    theirs_ = UniqueFd(ends[0]);
    peer_ = std::make_unique<ShmPeer>(4, 0, UniqueFd(ends[1]));
    file_ = createMemfd("test", kFileBytes);
  }
  void send(const FdMessage& message, int fd) {
    ASSERT_EQ(sendMessage(theirs_.get(), message, fd, Deadline::inMs(1000)), Result::Success);
    peer_->receiveControl(++messages_);
  }
  void announce(std::uint64_t segment, std::uint64_t bytes, std::int64_t offset = 0) {
    send({.kind = FdMessage::Kind::Segment, .segment = segment, .bytes = bytes, .offset = offset}, file_.get());
  }
  std::string error(std::uint64_t segment, std::int64_t bytes) {
    return errorOf([&] { peer_->resolve({.segment = segment, .offset = 0, .address = 0}, {0, bytes}); });
  }

  UniqueFd theirs_, file_;
  std::unique_ptr<ShmPeer> peer_;
  std::uint32_t messages_ = kMessagesAtStart;
};

TEST_F(ShmPeerTest, MapsWhatTheFileHolds) {
  announce(7, kFileBytes);
  EXPECT_EQ(error(7, kFileBytes), "");
  announce(8, 4096, 4096);
  EXPECT_EQ(error(8, 4096), "");
  EXPECT_NE(error(8, 4097), "");
  announce(3, 4096);  // ids need not come in order
  for (const std::uint64_t id : {3, 7, 8}) EXPECT_EQ(error(id, 4096), "") << id;
}

// Each of these would be a SIGBUS, or a read of other memory, if it were believed.
TEST_F(ShmPeerTest, AnnouncementsPastTheFileAreNotMapped) {
  constexpr std::uint64_t kHuge = ~0ULL;
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 4096 * 4096;
  const std::pair<std::uint64_t, std::int64_t> lies[] = {{kFileBytes + 1, 0}, {kFileBytes, 4096},   {0, 0},
                                                         {kHuge, 0},          {kHuge - 4095, 4096}, {4096, -4096},
                                                         {4096, kFar},        {4096, 12288}};
  std::uint64_t id = 10;
  for (const auto& [bytes, offset] : lies) {
    announce(++id, bytes, offset);
    EXPECT_NE(error(id, 1).find("could not be mapped here"), std::string::npos) << bytes << " at " << offset;
  }
  announce(++id, 4096);
  EXPECT_EQ(error(id, 4096), "") << "the good one after them";
}

TEST_F(ShmPeerTest, AnAnnouncementWithoutADescriptorIsNotMapped) {
  send({.kind = FdMessage::Kind::Segment, .segment = 1, .bytes = 4096}, -1);
  EXPECT_NE(error(1, 1), "");
}

TEST_F(ShmPeerTest, DroppedSegmentsAreUnmapped) {
  announce(1, 4096);
  announce(2, 4096);
  send({.kind = FdMessage::Kind::Drop, .segment = 1}, -1);
  EXPECT_NE(error(1, 1), "");
  EXPECT_EQ(error(2, 1), "");
  send({.kind = FdMessage::Kind::Drop, .segment = 99}, -1);  // never known: nothing happens
  EXPECT_EQ(error(2, 1), "");
}

TEST_F(ShmPeerTest, ASegmentAnnouncedAgainReplacesTheOld) {
  announce(1, 4096);
  announce(1, kFileBytes);
  EXPECT_EQ(error(1, kFileBytes), "");
  send({.kind = FdMessage::Kind::Drop, .segment = 1}, -1);
  EXPECT_NE(error(1, 1), "");
}

TEST_F(ShmPeerTest, WindowIsMapped) {
  EXPECT_EQ(peer_->window().bytes(), 0u);
  send({.kind = FdMessage::Kind::Window, .bytes = kFileBytes}, file_.get());
  EXPECT_EQ(peer_->window().bytes(), kFileBytes);
}

/// The file that a descriptor stands for.
ino_t fileOf(const UniqueFd& fd) {
  struct stat file {};
  return fstat(fd.get(), &file) == 0 ? file.st_ino : 0;
}

std::size_t openDescriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST_F(ShmPeerTest, PassedDescriptorsAreTakenByBatch) {
  const std::size_t before = openDescriptors();
  for (const std::uint64_t batch : {4, 5, 5, 6})
    send({.kind = FdMessage::Kind::Passed, .segment = batch, .bytes = 4096 * batch}, file_.get());
  EXPECT_EQ(openDescriptors(), before + 4);
  {
    const std::vector<PassedFd> taken = peer_->takePassed(5);
    ASSERT_EQ(taken.size(), 2u);
    for (const PassedFd& each : taken) {
      EXPECT_EQ(each.bytes, 4096u * 5);
      EXPECT_EQ(fileOf(each.fd), fileOf(file_));
    }
    EXPECT_EQ(openDescriptors(), before + 3) << "what nobody took is closed";
  }
  EXPECT_EQ(peer_->takePassed(6).size(), 1u) << "that came early";
  send({.kind = FdMessage::Kind::Passed, .segment = 6, .bytes = 1}, file_.get());
  EXPECT_EQ(openDescriptors(), before) << "one that came late is closed";
}

// A peer that floods this rank takes none of its descriptors but so many.
TEST_F(ShmPeerTest, OfPassedDescriptorsTheLastAreKept) {
  constexpr std::uint64_t kMany = 3 * Path::kMostPassed;
  const std::size_t before = openDescriptors();
  for (std::uint64_t i = 0; i < kMany; ++i)
    send({.kind = FdMessage::Kind::Passed, .segment = 1, .bytes = i}, file_.get());
  EXPECT_EQ(openDescriptors(), before + 2 * Path::kMostPassed);
  EXPECT_EQ(peer_->takePassed(1).back().bytes, kMany - 1);
}

TEST_F(ShmPeerTest, APassedDescriptorThatThisProcessHasNoRoomForIsMissing) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  ASSERT_EQ(sendMessage(theirs_.get(), {.kind = FdMessage::Kind::Passed, .segment = 1, .bytes = 1}, file_.get(),
                        Deadline::inMs(1000)),
            Result::Success);
  peer_->receiveControl(++messages_);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  send({.kind = FdMessage::Kind::Passed, .segment = 1, .bytes = 2}, file_.get());
  const std::vector<PassedFd> taken = peer_->takePassed(1);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_FALSE(taken[0].fd);
  EXPECT_TRUE(taken[1].fd);
}

TEST_F(ShmPeerTest, UnexpectedMessagesAreIgnored) {
  send({.kind = FdMessage::Kind::Board, .bytes = 4096}, file_.get());
  send({.kind = static_cast<FdMessage::Kind>(77), .segment = 1, .bytes = 4096}, file_.get());
  EXPECT_NE(error(1, 1), "");
}

TEST_F(ShmPeerTest, MalformedMessagesEndTheReading) {
  ASSERT_EQ(::send(theirs_.get(), "short", 5, 0), 5);
  peer_->receiveControl(++messages_);
  const std::vector<char> longer(sizeof(FdMessage) + 1);
  ASSERT_EQ(::send(theirs_.get(), longer.data(), longer.size(), 0), static_cast<ssize_t>(longer.size()));
  peer_->receiveControl(++messages_);
  announce(1, 4096);
  EXPECT_EQ(error(1, 1), "") << "messages keep their bounds, so the next one is whole again";
}

// Equal numbers in two PID namespaces are not one process, and 0 is no number to show.
TEST_F(ShmPeerTest, ProcessesOfOtherPidNamespaces) {
  const auto peerOf = [&](pid_t pid, pid_t ownPid) {
    return ShmPeer(4, pid, UniqueFd(fcntl(theirs_.get(), F_DUPFD_CLOEXEC, 0)), ownPid);
  };
  EXPECT_EQ(peerOf(0, getpid()).pidText(), "pid " + std::to_string(getpid()) + " of another PID namespace");
  EXPECT_FALSE(peerOf(0, getpid()).sameProcess());
  EXPECT_EQ(peerOf(12, 7).pidText(), "pid 12 (7 in its PID namespace)");
  EXPECT_EQ(peerOf(12, 12).pidText(), "pid 12");
  EXPECT_TRUE(peerOf(getpid(), getpid()).sameProcess());
  EXPECT_NE(peerOf(0, 7).state().find("alive"), std::string::npos);
}

TEST_F(ShmPeerTest, AClosedConnectionIsNotADeath) {
  EXPECT_FALSE(peer_->end());
  theirs_.reset();
  EXPECT_NE(peer_->end().value_or("").find("lives, and closed its connection"), std::string::npos);
}

// A peer that counts messages it never sent must not hang its readers.
TEST_F(ShmPeerTest, MessagesThatNeverComeEndAtADeadline) {
  const std::int64_t start = nowNs();
  peer_->receiveControl(messages_ + 1'000'000);
  EXPECT_LT(nowNs() - start, 20'000'000'000);
  theirs_.reset();
  peer_->receiveControl(messages_ + 2'000'000);
  EXPECT_NE(error(1, 1), "");
}

}  // namespace
}  // namespace ulysses::test
