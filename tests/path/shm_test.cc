// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What only peers in other processes can get wrong: references that lie, segments that are gone, processes that die.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <limits>

#include "path/shm/memfd.h"
#include "path/shm/segment.h"
#include "posting.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kBytes = 2 * 4096;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

/// Rank 0 learns a segment of rank 1's and gives its reference to `look`.
void withSegmentOfPeer(const std::function<void(Path&, const TensorRef&)>& look) {
  runProcesses(2, [&](RankContext& c) {
    std::shared_ptr<Segment> segment;
    TensorRef ref;
    if (c.rank == 1) {
      segment = SegmentRegistry::instance().allocate(kBytes);
      ref = c.path->locate(segment->base, {0, kBytes});
    }
    ASSERT_EQ(publishRefs(*c.path, 1, std::span(&ref, 1)), Result::Success);
    const auto got = awaitAnnouncement(*c.path, 1 - c.rank, 1);
    ASSERT_TRUE(got);
    if (c.rank == 0) look(*c.path, got->tensors[0]);
    EXPECT_TRUE(finishTogether(c, 1));
  });
}

std::string mapError(Path& path, TensorRef ref, std::uint64_t offset, const Extent& extent) {
  ref.offset = offset;
  return errorOf([&] { path.map(1, ref, extent); });
}

TEST(ShmPathTest, ReferencesOutOfTheSegmentAreRefused) {
  withSegmentOfPeer([](Path& path, const TensorRef& ref) {
    constexpr auto kEnd = static_cast<std::uint64_t>(kBytes);
    EXPECT_EQ(mapError(path, ref, 0, {0, kBytes}), "");
    EXPECT_EQ(mapError(path, ref, kEnd, {-kBytes, 0}), "");
    EXPECT_EQ(mapError(path, ref, kEnd, {0, 0}), "");
    const std::pair<std::uint64_t, Extent> lies[] = {
        {0, {0, kBytes + 1}},     {1, {0, kBytes}}, {0, {-1, 1}},      {5, {-6, 1}},         {kEnd, {0, 1}},
        {kEnd + 1, {-1, 0}},      {~0ULL, {0, 1}},  {~0ULL, {0, 0}},   {1ULL << 63, {0, 1}}, {1ULL << 63, {-kMost, 1}},
        {1ULL << 62, {0, kMost}}, {1, {-kMost, 1}}, {kEnd, {0, kMost}}};
    for (const auto& [offset, extent] : lies)
      EXPECT_NE(mapError(path, ref, offset, extent).find("InternalError: rank 1 refers to bytes"), std::string::npos)
          << "offset " << offset << ", bytes " << extent.begin << ".." << extent.end;
  });
}

/// The number that a passed file begins with.
int numberIn(const PassedFd& passed) {
  int number = -1;
  return pread(passed.fd.get(), &number, sizeof number, 0) == sizeof number ? number : -1;
}

// Each rank passes files of its own to all others, together with operation after operation.
TEST(ShmPathTest, DescriptorsAreThereWithTheAnnouncement) {
  runProcesses(3, [](RankContext& c) {
    for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
      std::vector<PassedFd> passed;
      for (int i = 0; i < static_cast<int>(Path::kMostPassed); ++i) {
        UniqueFd file = createMemfd("test", sizeof i);
        const int number = c.rank * 1000 + i;
        ASSERT_EQ(pwrite(file.get(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
        passed.push_back({sequence, 7, std::move(file)});
      }
      c.path->pass(std::move(passed));
      ASSERT_EQ(publishRefs(*c.path, sequence, {}), Result::Success);
      for (int peer = 0; peer < c.nRanks; ++peer) {
        if (peer == c.rank) continue;
        ASSERT_TRUE(awaitAnnouncement(*c.path, peer, sequence)) << c.where();
        const std::vector<PassedFd> taken = c.path->takePassed(peer, sequence);
        ASSERT_EQ(taken.size(), Path::kMostPassed) << c.where();
        for (int i = 0; i < static_cast<int>(taken.size()); ++i)
          EXPECT_EQ(numberIn(taken[static_cast<std::size_t>(i)]), peer * 1000 + i) << c.where();
      }
      ASSERT_TRUE(finishTogether(c, sequence));
    }
  });
}

TEST(ShmPathTest, OtherPathsPassNoDescriptors) {
  runThreads(2, [](RankContext& c) {
    EXPECT_NE(errorOf([&] { c.path->pass({}); }).find("path self passes no descriptors"), std::string::npos);
    EXPECT_TRUE(c.path->takePassed(1 - c.rank, 1).empty());
    EXPECT_TRUE(c.meet());
  });
}

TEST(ShmPathTest, UnknownSegmentsAreRefused) {
  withSegmentOfPeer([](Path& path, const TensorRef& ref) {
    for (const std::uint64_t id : {std::uint64_t{0}, ref.segment + 1, ~std::uint64_t{0}}) {
      TensorRef lie = ref;
      lie.segment = id;
      EXPECT_NE(mapError(path, lie, 0, {0, 1}).find("could not be mapped here"), std::string::npos) << id;
    }
  });
}

TEST(ShmPathTest, PeersMayReadButNotWrite) {
  withSegmentOfPeer([](Path& path, const TensorRef& ref) {
    const std::byte* at = path.map(1, ref, {0, kBytes});
    // The kernel copies to memory that can be written only: EFAULT instead of a signal.
    UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(read(zero.get(), const_cast<std::byte*>(at), 1), -1);
    EXPECT_EQ(errno, EFAULT);
  });
}

TEST(ShmPathTest, FreedSegmentsAreUnmappedAtTheNextOperation) {
  runProcesses(2, [](RankContext& c) {
    auto& registry = SegmentRegistry::instance();
    auto first = registry.allocate(kBytes), second = registry.allocate(kBytes);
    const TensorRef old = c.path->locate(first->base, {0, kBytes});
    ASSERT_EQ(publishRefs(*c.path, 1, std::span(&old, 1)), Result::Success);
    const auto got = awaitAnnouncement(*c.path, 1 - c.rank, 1);
    ASSERT_TRUE(got);
    const TensorRef theirs = got->tensors[0];
    EXPECT_EQ(errorOf([&] { c.path->map(1 - c.rank, theirs, {0, kBytes}); }), "");
    ASSERT_TRUE(finishTogether(c, 1));
    registry.release(first->base, true);
    const TensorRef fresh = c.path->locate(second->base, {0, kBytes});
    ASSERT_EQ(publishRefs(*c.path, 2, std::span(&fresh, 1)), Result::Success);
    ASSERT_TRUE(awaitAnnouncement(*c.path, 1 - c.rank, 2));
    EXPECT_NE(errorOf([&] {
                c.path->map(1 - c.rank, theirs, {0, kBytes});
              }).find("could not be mapped"),
              std::string::npos);
    EXPECT_TRUE(finishTogether(c, 2));
  });
}

TEST(ShmPathTest, PrivateMemoryIsNotMappable) {
  runProcesses(2, [](RankContext& c) {
    const auto segment = SegmentRegistry::instance().allocate(kBytes);
    const std::byte local[8] = {};
    const auto mappable = [&](const std::byte* at, Extent extent) {
      return c.path->mappable(1 - c.rank, c.path->locate(at, extent));
    };
    EXPECT_FALSE(mappable(local, {0, 8}));
    EXPECT_TRUE(mappable(segment->base, {0, kBytes}));
    EXPECT_FALSE(mappable(segment->base, {0, kBytes + 1}));
    EXPECT_FALSE(mappable(segment->base, {-1, 8}));
    EXPECT_FALSE(mappable(segment->base + kBytes, {0, 1}));
    EXPECT_TRUE(c.meet());
  });
}

TEST(ShmPathTest, AKilledPeerIsLost) {
  runProcesses(
      3,
      [](RankContext& c) {
        ASSERT_TRUE(c.meet());
        if (c.rank == 1) kill(getpid(), SIGKILL);
        EXPECT_TRUE(waitUntil([&] { return c.path->lost(1).has_value(); })) << c.where();
        const std::string why = c.path->lost(1).value_or("");
        EXPECT_NE(why.find("pid " + std::to_string(c.meeting->pids[1].load()) + " died"), std::string::npos) << why;
        EXPECT_FALSE(c.path->lost(2 - c.rank)) << "the other one is still there";
        c.meeting->words[c.rank].store(1);
        EXPECT_TRUE(waitUntil([&] { return c.meeting->words[2 - c.rank].load() == 1; }));
      },
      1);
}

// Control messages that nobody reads fill the socket: the publisher gives up at its deadline and does not hang.
TEST(ShmPathTest, AFullSocketEndsAtTheDeadline) {
  runProcesses(2, [](RankContext& c) {
    if (c.rank == 0) {
      auto& registry = SegmentRegistry::instance();
      Result result = Result::Success;
      static const CallRecord plain;
      for (std::uint64_t sequence = 1; result == Result::Success && sequence < 5000; ++sequence) {
        const auto segment = registry.allocate(4096);
        const TensorRef ref = c.path->locate(segment->base, {0, 4096});
        result = c.path->publish({.sequence = sequence,
                                  .recordId = 1,
                                  .record = &plain,
                                  .tokens = {},
                                  .queryHeads = {},
                                  .tensors = std::span(&ref, 1),
                                  .seals = {}},
                                 Deadline::inMs(100));
        registry.release(segment->base, true);
      }
      EXPECT_EQ(result, Result::Timeout);
    }
    EXPECT_TRUE(c.meet());
  });
}

}  // namespace
}  // namespace ulysses::test
