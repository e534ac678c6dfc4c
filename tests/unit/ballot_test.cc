// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/ballot.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ulysses::test {

namespace {

using State = Ballot::State;

TEST(Ballot, TheLastToConfirmCommits) {
  std::atomic<std::uint64_t> word{0};
  const Ballot ballot(word);
  EXPECT_EQ(ballot.look(7), State::Open);
  EXPECT_EQ(ballot.confirm(7, 3), State::Open);
  EXPECT_EQ(ballot.confirm(7, 3), State::Open);
  EXPECT_EQ(ballot.confirm(7, 3), State::Committed);
  EXPECT_EQ(ballot.giveUp(7), State::Committed);  // too late
  EXPECT_EQ(ballot.look(7), State::Committed);
}

TEST(Ballot, WhoGivesUpFirstAborts) {
  std::atomic<std::uint64_t> word{0};
  const Ballot ballot(word);
  EXPECT_EQ(ballot.confirm(7, 2), State::Open);
  EXPECT_EQ(ballot.giveUp(7), State::Aborted);
  EXPECT_EQ(ballot.confirm(7, 2), State::Aborted);
  EXPECT_EQ(ballot.look(7), State::Aborted);
}

TEST(Ballot, ANewerDecisionStartsAnew) {
  std::atomic<std::uint64_t> word{0};
  const Ballot ballot(word);
  EXPECT_EQ(ballot.giveUp(7), State::Aborted);
  EXPECT_EQ(ballot.look(8), State::Open);
  EXPECT_EQ(ballot.confirm(8, 1), State::Committed);
  EXPECT_EQ(ballot.confirm(7, 1), State::Aborted);  // whoever comes late to an old one
  EXPECT_EQ(ballot.look(7), State::Aborted);
  EXPECT_EQ(ballot.look(8), State::Committed);
}

TEST(Ballot, LargestStampAndGroup) {
  std::atomic<std::uint64_t> word{0};
  const Ballot ballot(word);
  const std::uint64_t stamp = (std::uint64_t{1} << 44) - 1;
  for (int i = 0; i + 1 < 1 << 16; ++i) ASSERT_EQ(ballot.confirm(stamp, 1 << 16), State::Open);
  EXPECT_EQ(ballot.confirm(stamp, 1 << 16), State::Committed);
  EXPECT_EQ(ballot.look(stamp), State::Committed);
}

/// Whatever comes first, all that look afterwards see the same.
TEST(Ballot, ThreadsAgree) {
  constexpr int kMembers = 4;
  int committed = 0;
  for (std::uint64_t stamp = 1; stamp <= 2000; ++stamp) {
    std::atomic<std::uint64_t> word{0};
    std::atomic<int> started{0};
    State seen[kMembers];
    std::vector<std::thread> threads;
    for (int i = 0; i < kMembers; ++i)
      threads.emplace_back([&, i] {
        const Ballot ballot(word);
        started.fetch_add(1);
        while (started.load() < kMembers) std::this_thread::yield();
        State state = ballot.confirm(stamp, kMembers);
        if (i == 0 && state == State::Open) state = ballot.giveUp(stamp);
        while (state == State::Open) state = ballot.look(stamp);
        seen[i] = state;
      });
    for (std::thread& thread : threads) thread.join();
    for (const State state : seen) ASSERT_EQ(state, seen[0]);
    committed += seen[0] == State::Committed;
  }
  RecordProperty("committed", committed);
}

}  // namespace

}  // namespace ulysses::test
