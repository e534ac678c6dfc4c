// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Announcements, completion, sleep and first cause of every path.
#include "conformance.h"

#include <unistd.h>

#include "base/text.h"
#include "posting.h"
#include "support/rng.h"

namespace ulysses::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Paths, PathBasics, allPaths(), kindName);
INSTANTIATE_TEST_SUITE_P(Paths, PathConformance, testing::Values(kSelf, kShm), kindName);

TEST_P(PathBasics, SaysWhatItIs) {
  run(2, [](RankContext& c) {
    EXPECT_EQ(c.path->name(), GetParam().name);
    EXPECT_NE(c.path->reasonFor(1 - c.rank), "");
    EXPECT_NE(c.path->describe(1 - c.rank), "");
    EXPECT_TRUE(c.meet());  // both are alive until here
  });
}

TEST_P(PathConformance, NothingIsAnnouncedBeforeItIsPublished) {
  run(2, [](RankContext& c) {
    const int peer = 1 - c.rank;
    EXPECT_FALSE(c.path->announcement(peer, 1));
    EXPECT_EQ(c.path->lastSequence(peer), 0u);
    EXPECT_FALSE(c.path->finished(peer, 1));
    EXPECT_FALSE(c.path->slotFree(peer, 1));
    ASSERT_TRUE(c.meet());
    ASSERT_EQ(c.rank == 0 ? publishRefs(*c.path, 1, {}) : Result::Success, Result::Success);
    ASSERT_TRUE(c.meet());
    EXPECT_EQ(c.path->announcement(peer, 1).has_value(), c.rank == 1);
    EXPECT_FALSE(c.path->announcement(peer, 2));
    EXPECT_FALSE(c.path->announcement(peer, 1 + kMaxOutstanding));  // the same slot
    EXPECT_EQ(c.path->lastSequence(peer), c.rank == 1 ? 1u : 0u);
    ASSERT_TRUE(c.meet());
    if (c.rank == 0) c.path->finish(1);
    ASSERT_TRUE(c.meet());
    EXPECT_EQ(c.path->finished(peer, 1), c.rank == 1);
    EXPECT_FALSE(c.path->finished(peer, 2));
    EXPECT_EQ(c.path->slotFree(peer, 1), c.rank == 1);
    EXPECT_FALSE(c.path->slotFree(peer, 2));
  });
}

/// Announces and reads `last` operations, up to kMaxOutstanding ahead of the slowest, at a pace of its own.
void runOperations(RankContext& c, std::uint64_t last, bool carriesRefs) {
  Rng rng(static_cast<std::uint64_t>(c.rank) + 5);
  std::uint64_t published = 0, read = 0;
  const auto isFreeAtAll = [&](std::uint64_t sequence) {
    for (int peer = 0; peer < c.nRanks; ++peer)
      if (peer != c.rank && !c.path->slotFree(peer, sequence)) return false;
    return true;
  };
  while (read < last) {
    const std::uint64_t ahead = static_cast<std::uint64_t>(rng.between(1, kMaxOutstanding));
    for (; published < last && published < read + ahead; ++published) {
      const std::uint64_t next = published + 1;
      ASSERT_TRUE(waitUntil([&] { return next <= kMaxOutstanding || isFreeAtAll(next - kMaxOutstanding); }))
          << c.where() << " at " << next;
      const MadeUpCall call(c.rank, c.nRanks, next);
      ASSERT_EQ(c.path->publish(call.posting(), Deadline::inMs(kPatienceMs)), Result::Success);
    }
    for (int peer = 0; peer < c.nRanks; ++peer) {
      if (peer == c.rank) continue;
      const auto got = awaitAnnouncement(*c.path, peer, read + 1);
      ASSERT_TRUE(got) << c.where();
      if (rng.chance(20)) sched_yield();  // a slot must not change under a reader that takes its time
      const MadeUpCall call(peer, c.nRanks, read + 1);
      call.expectAnnounced(*c.path, peer, *got, carriesRefs);
      EXPECT_GE(c.path->lastSequence(peer), read + 1);
    }
    c.path->finish(++read);
    for (std::int64_t i = rng.chance(10) ? rng.between(1, 30) : 0; i > 0; --i) sched_yield();
  }
  for (int peer = 0; peer < c.nRanks; ++peer)
    EXPECT_FALSE(peer != c.rank && c.path->announcement(peer, last - 2 * kMaxOutstanding)) << "its slot was used again";
}

TEST_P(PathBasics, SlotsAreReusedOnlyWhenAllHaveFinished) {
  for (const int nRanks : {2, 3, 5}) run(nRanks, [](RankContext& c) { runOperations(c, 200, GetParam().carriesRefs); });
}

TEST_P(PathBasics, ARankAloneNeedsNoPeers) {
  run(1, [](RankContext& c) { runOperations(c, 20, GetParam().carriesRefs); });
}

TEST_P(PathConformance, FirstCauseHolds) {
  run(3, [](RankContext& c) {
    EXPECT_FALSE(c.path->isRevoked());
    ASSERT_TRUE(c.meet());
    Cause mine{.result = 100 + c.rank, .rank = c.rank, .sequence = 7};
    copyText(mine.text, "cause of rank " + std::to_string(c.rank));
    c.path->revoke(mine);  // all three at once
    EXPECT_TRUE(c.path->isRevoked());
    const Cause held = c.path->cause();
    EXPECT_EQ(held.result, 100 + held.rank);
    EXPECT_EQ(held.sequence, 7u);
    EXPECT_EQ(textFrom(held.text), "cause of rank " + std::to_string(held.rank));
    c.meeting->words[c.rank].store(static_cast<std::uint64_t>(held.rank));
    ASSERT_TRUE(c.meet());
    for (int rank = 0; rank < c.nRanks; ++rank)
      EXPECT_EQ(c.meeting->words[rank].load(), static_cast<std::uint64_t>(held.rank));
    mine.result = 999;
    c.path->revoke(mine);
    EXPECT_EQ(c.path->cause().result, held.result);
  });
}

TEST_P(PathBasics, SleepIsShort) {
  run(2, [](RankContext& c) {
    for (int i = 0; i < 20; ++i) c.path->sleep();  // nobody rings: each ends by itself
    EXPECT_TRUE(c.meet());
  });
}

constexpr std::int64_t kMs = 1'000'000;

/// Nanoseconds of one sleep of at most 900 ms.
std::int64_t timeOfSleep(RankContext& c) {
  const std::int64_t start = nowNs();
  c.board->sleep(c.rank, 900 * kMs);
  return nowNs() - start;
}

// The peer rings 100 ms later. On a loaded machine that may come late, or before the sleeper sleeps (then it does not
// even start): one good wake-up in five turns is enough. Without any, every sleep takes its full time.
TEST_P(PathConformance, RingingWakesASleeper) {
  run(2, [](RankContext& c) {
    int woken = 0;
    for (std::uint64_t turn = 1; turn <= 5 && c.meeting->words[1].load() == 0; ++turn) {
      ASSERT_TRUE(c.meet());
      if (c.rank == 0) {
        const std::int64_t time = timeOfSleep(c);
        woken += time > 20 * kMs && time < 700 * kMs;
        c.meeting->words[0].store(turn);
        c.meeting->words[1].store(woken > 0);
      } else {
        usleep(100'000);
        for (; c.meeting->words[0].load() < turn; sched_yield()) c.path->finish(turn);  // rings when somebody sleeps
      }
      ASSERT_TRUE(c.meet());
    }
    EXPECT_TRUE(c.rank == 1 || woken > 0);
  });
}

TEST_P(PathConformance, RevokingWakesASleeper) {
  run(2, [](RankContext& c) {
    ASSERT_TRUE(c.meet());
    if (c.rank == 1) {
      while (!c.meeting->words[0].load()) sched_yield();
      for (int i = 0; i < 100; ++i) sched_yield();  // let it fall asleep, or not: both must end
      c.path->revoke({.result = 5, .rank = 1});
      return;
    }
    c.meeting->words[0].store(1);
    EXPECT_TRUE(waitUntil([&] {
      c.path->sleep();
      return c.path->isRevoked();
    }));
    EXPECT_EQ(c.path->cause().result, 5);
  });
}

TEST_P(PathConformance, APeerThatLeavesIsLost) {
  run(3, [](RankContext& c) {
    for (int peer = 0; peer < c.nRanks; ++peer) EXPECT_FALSE(peer != c.rank && c.path->lost(peer)) << c.where();
    ASSERT_TRUE(c.meet());
    if (c.rank == 1) {
      c.path.reset();
      EXPECT_TRUE(c.meet());
      return;
    }
    EXPECT_TRUE(waitUntil([&] { return c.path->lost(1).has_value(); })) << c.where();
    EXPECT_NE(c.path->lost(1).value_or("").find("destroyed its communicator"), std::string::npos);
    EXPECT_FALSE(c.path->lost(2 - c.rank)) << "the other one is still there";
    ASSERT_TRUE(c.meet());
  });
}

}  // namespace
}  // namespace ulysses::test
