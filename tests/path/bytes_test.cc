// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How bytes reach a peer on every path: registered memory in place, private memory in place or as chunks.
#include <array>

#include "conformance.h"
#include "path/shm/segment.h"
#include "posting.h"
#include "support/rng.h"

namespace ulysses::test {
namespace {

class PathBytes : public PathConformance {};
INSTANTIATE_TEST_SUITE_P(Paths, PathBytes, testing::Values(kSelf, kShm), kindName);
class PathStreams : public PathBasics {};
INSTANTIATE_TEST_SUITE_P(Paths, PathStreams, allPaths(), kindName);

/// Random bytes that both ends can make.
std::vector<std::byte> bytesOf(std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::size_t count) {
  Rng rng(seed, a, b);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.next() >> 56);
  return bytes;
}

bool sameBytes(const std::byte* at, std::span<const std::byte> wanted) {
  return std::memcmp(at, wanted.data(), wanted.size()) == 0;
}

/// One tensor in a registered segment: its pointer stands at `at`, its bytes at `at` + extent.
struct Placed {
  std::int64_t at;
  Extent extent;
};
constexpr std::size_t kSegmentBytes = 3 * 4096;
constexpr std::array<Placed, 6> kPlaced{{{0, {0, 3 * 4096}},
                                         {0, {0, 1}},
                                         {4097, {-4097, 100}},
                                         {3 * 4096, {-3 * 4096, 0}},  // all of it before the pointer
                                         {777, {3, 5000}},
                                         {3 * 4096 - 1, {0, 1}}}};

TEST_P(PathBytes, RegisteredMemoryIsReadInPlaceInAnyPart) {
  run(3, [](RankContext& c) {
    const auto segment = SegmentRegistry::instance().allocate(kSegmentBytes);
    const auto mine = bytesOf(1, static_cast<std::uint64_t>(c.rank), 0, kSegmentBytes);
    std::copy(mine.begin(), mine.end(), segment->base);
    std::vector<TensorRef> refs;
    for (const Placed& p : kPlaced) refs.push_back(c.path->locate(segment->base + p.at, p.extent));
    ASSERT_EQ(publishRefs(*c.path, 1, refs), Result::Success);
    for (int peer = 0; peer < c.nRanks; ++peer) {
      if (peer == c.rank) continue;
      const auto got = awaitAnnouncement(*c.path, peer, 1);
      ASSERT_TRUE(got);
      const auto theirs = bytesOf(1, static_cast<std::uint64_t>(peer), 0, kSegmentBytes);
      for (std::size_t t = 0; t < kPlaced.size(); ++t) {
        const Placed& p = kPlaced[t];
        EXPECT_TRUE(c.path->mappable(peer, refs[t])) << "the same answer at the sender";
        ASSERT_TRUE(c.path->mappable(peer, got->tensors[t]));
        const std::byte* at = c.path->map(peer, got->tensors[t], p.extent);
        const auto wanted = std::span(theirs).subspan(static_cast<std::size_t>(p.at + p.extent.begin),
                                                      static_cast<std::size_t>(p.extent.end - p.extent.begin));
        EXPECT_TRUE(sameBytes(at + p.extent.begin, wanted)) << c.where() << " reads tensor " << t << " of " << peer;
      }
    }
    EXPECT_TRUE(finishTogether(c, 1));
    EXPECT_TRUE(SegmentRegistry::instance().release(segment->base, true));
  });
}

// What is written after the first exchange is seen too: peers share the pages, they have no copy.
TEST_P(PathBytes, MappedMemoryIsShared) {
  run(2, [](RankContext& c) {
    const auto segment = SegmentRegistry::instance().allocate(4096);
    const TensorRef ref = c.path->locate(segment->base, {0, 4096});
    for (std::uint64_t sequence = 1; sequence <= 30; ++sequence) {
      const auto mine = bytesOf(sequence, static_cast<std::uint64_t>(c.rank), 1, 4096);
      std::copy(mine.begin(), mine.end(), segment->base);
      ASSERT_EQ(publishRefs(*c.path, sequence, std::span(&ref, 1)), Result::Success);
      const int peer = 1 - c.rank;
      const auto got = awaitAnnouncement(*c.path, peer, sequence);
      ASSERT_TRUE(got);
      EXPECT_TRUE(sameBytes(c.path->map(peer, got->tensors[0], {0, 4096}),
                            bytesOf(sequence, static_cast<std::uint64_t>(peer), 1, 4096)))
          << c.where() << " at " << sequence;
      ASSERT_TRUE(finishTogether(c, sequence));
    }
    SegmentRegistry::instance().release(segment->base, true);
  });
}

// Addresses come back at once after a release: what is read must be the new memory all the same.
TEST_P(PathBytes, SegmentsComeAndGo) {
  run(3, [](RankContext& c) {
    auto& registry = SegmentRegistry::instance();
    for (std::uint64_t sequence = 1; sequence <= 24; ++sequence) {
      const std::size_t bytes = 4096 * (1 + sequence % 3);
      const auto first = registry.allocate(bytes), second = registry.allocate(4096);
      const auto rank = static_cast<std::uint64_t>(c.rank);
      const auto mine = bytesOf(sequence, rank, 2, bytes), more = bytesOf(sequence, rank, 3, 4096);
      std::copy(mine.begin(), mine.end(), first->base);
      std::copy(more.begin(), more.end(), second->base);
      const auto end = static_cast<std::int64_t>(bytes);
      const TensorRef refs[] = {c.path->locate(second->base, {0, 4096}), c.path->locate(first->base, {0, end})};
      ASSERT_EQ(publishRefs(*c.path, sequence, refs), Result::Success);
      for (int peer = 0; peer < c.nRanks; ++peer) {
        if (peer == c.rank) continue;
        const auto got = awaitAnnouncement(*c.path, peer, sequence);
        ASSERT_TRUE(got);
        const auto p = static_cast<std::uint64_t>(peer);
        EXPECT_TRUE(sameBytes(c.path->map(peer, got->tensors[0], {0, 4096}), bytesOf(sequence, p, 3, 4096)));
        EXPECT_TRUE(sameBytes(c.path->map(peer, got->tensors[1], {0, end}), bytesOf(sequence, p, 2, bytes)));
      }
      ASSERT_TRUE(finishTogether(c, sequence));
      EXPECT_TRUE(registry.release(first->base, true));
      EXPECT_TRUE(registry.release(second->base, true));
    }
  });
}

/// Sends `count` chunks to every peer and reads as many from each, as the windows allow.
void streamChunks(RankContext& c, std::uint64_t count) {
  const auto bytes = static_cast<std::size_t>(c.path->chunkBytes());
  std::array<std::uint64_t, kMostRanks> sent{}, taken{};
  const auto rank = static_cast<std::uint64_t>(c.rank);
  const Deadline deadline = Deadline::inMs(kPatienceMs);
  for (bool open = true; open && !deadline.passed(); sched_yield()) {
    open = false;
    for (int peer = 0; peer < c.nRanks; ++peer) {
      if (peer == c.rank) continue;
      const auto p = static_cast<std::size_t>(peer);
      for (std::span<std::byte> to; sent[p] < count && !(to = c.path->chunkTo(peer)).empty(); ++sent[p]) {
        ASSERT_EQ(to.size(), bytes);
        const auto data = bytesOf(sent[p], rank, p, bytes);
        std::copy(data.begin(), data.end(), to.begin());
        c.path->sendChunk(peer, std::ssize(to));
      }
      const auto from = c.path->chunkFrom(peer);
      if (!from.empty()) {
        ASSERT_EQ(from.size(), bytes);
        ASSERT_TRUE(sameBytes(from.data(), bytesOf(taken[p]++, p, rank, bytes))) << c.where() << " from " << peer;
        c.path->releaseChunk(peer);
      }
      open = open || sent[p] < count || taken[p] < count;
    }
  }
  for (int peer = 0; peer < c.nRanks; ++peer)
    EXPECT_EQ(taken[static_cast<std::size_t>(peer)], peer == c.rank ? 0 : count) << c.where() << " from " << peer;
}

/// Announces this rank's window, where there is one, and learns the peers'.
void openStreams(RankContext& c) {
  c.path->prepareStaging();
  ASSERT_EQ(publishRefs(*c.path, 1, {}), Result::Success);
  for (int peer = 0; peer < c.nRanks; ++peer) {
    ASSERT_TRUE(peer == c.rank || awaitAnnouncement(*c.path, peer, 1));
    if (peer != c.rank) c.path->requireChunks(peer);
  }
}

// A path reads private memory in place or has chunks for it; either way the bytes arrive.
TEST_P(PathStreams, PrivateMemoryReachesEveryPeer) {
  for (const int nRanks : {2, 4})
    run(nRanks, [](RankContext& c) {
      const auto mine = bytesOf(9, static_cast<std::uint64_t>(c.rank), 9, 5000);
      const TensorRef ref = c.path->locate(mine.data(), {0, 5000});
      const int next = (c.rank + 1) % c.nRanks;
      if (!c.path->mappable(next, ref)) {
        EXPECT_GT(c.path->chunkBytes(), 0);
        openStreams(c);
        streamChunks(c, 150);
      } else {
        ASSERT_EQ(publishRefs(*c.path, 1, std::span(&ref, 1)), Result::Success);
        const auto got = awaitAnnouncement(*c.path, next, 1);
        ASSERT_TRUE(got);
        EXPECT_TRUE(sameBytes(c.path->map(next, got->tensors[0], {0, 5000}),
                              bytesOf(9, static_cast<std::uint64_t>(next), 9, 5000)));
      }
      EXPECT_TRUE(finishTogether(c, 1));
    });
}

TEST_P(PathBytes, AFullWindowWaitsForItsReader) {
  run(2, [](RankContext& c) {
    if (c.path->chunkBytes() == 0) return;  // this path has no windows
    openStreams(c);
    ASSERT_TRUE(c.meet());
    const auto bytes = static_cast<std::size_t>(c.path->chunkBytes());
    const auto fill = [&](std::uint64_t number) {
      const auto to = c.path->chunkTo(1);
      if (to.empty()) return false;
      std::fill(to.begin(), to.end(), static_cast<std::byte>(number));
      c.path->sendChunk(1, std::ssize(to));
      return true;
    };
    if (c.rank == 0) {
      std::uint64_t sent = 0;
      while (sent < 100 && fill(sent)) ++sent;
      EXPECT_GE(sent, 1u);
      EXPECT_LT(sent, 100u) << "no window is endless";
      ASSERT_TRUE(c.meet());  // the reader takes one
      ASSERT_TRUE(c.meet());
      EXPECT_TRUE(fill(sent));
      EXPECT_FALSE(fill(sent + 1)) << "one was taken, so one was free";
      ASSERT_TRUE(c.meet());
    } else {
      ASSERT_TRUE(c.meet());
      EXPECT_TRUE(sameBytes(c.path->chunkFrom(0).data(), std::vector<std::byte>(bytes, std::byte{0})));
      c.path->releaseChunk(0);
      ASSERT_TRUE(c.meet());
      ASSERT_TRUE(c.meet());
      EXPECT_TRUE(sameBytes(c.path->chunkFrom(0).data(), std::vector<std::byte>(bytes, std::byte{1}))) << "in order";
    }
    EXPECT_TRUE(c.meet());
  });
}

}  // namespace
}  // namespace ulysses::test
