// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// An exchange in steady state allocates nothing.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fault/allocation_count.h"
#include "fault/local_ranks.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kWarmUp = 20, kRounds = 1000;

enum class Style { Blocking, Started, Tested };

void runRounds(const Rank& rank, ulyssesComm_t comm, const Trial& a, const Trial& b, Style style, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    ulyssesResult_t result = ulyssesSuccess;
    ulyssesRequest_t requests[2] = {};
    if (style == Style::Blocking) {
      result = a.call(comm);
    } else {
      result = a.start(comm, &requests[0]);
      if (result == ulyssesSuccess) result = b.start(comm, &requests[1]);
      for (int done = style == Style::Started; result == ulyssesSuccess && !done;)
        result = ulyssesTest(&requests[0], &done);
      if (result == ulyssesSuccess) result = ulyssesWait(&requests[0]);
      if (result == ulyssesSuccess) result = ulyssesWait(&requests[1]);
    }
    if (result == ulyssesSuccess) continue;
    rank.expectResult(result, ulyssesSuccess, "round " + std::to_string(round));
    return;
  }
}

void expectNoAllocation(bool registered, Style style) {
  if (!countsAllocations()) GTEST_SKIP() << "a sanitizer's malloc cannot be counted";
  Team team(2, [=](Rank& rank) {
    const ulyssesComm_t comm = rank.join(20'000);
    const Trial a(rank.rank(), 2, {.registered = registered}), b(rank.rank(), 2, {.registered = registered});
    runRounds(rank, comm, a, b, style, kWarmUp);
    const std::int64_t before = allocationsSoFar();
    runRounds(rank, comm, a, b, style, kRounds);
    const std::int64_t count = allocationsSoFar() - before;
    rank.expect(a.isRight(), "wrong bytes");
    rank.expect(count == 0, std::to_string(count) + " allocations in " + std::to_string(kRounds) + " rounds");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight(60'000);
}

TEST(Allocation, CounterCounts) {
  if (!countsAllocations()) GTEST_SKIP() << "a sanitizer's malloc cannot be counted";
  const std::int64_t before = allocationsSoFar();
  const auto one = std::make_unique<std::vector<int>>(5);
  EXPECT_GE(allocationsSoFar() - before, 2);
  ulyssesComm_t comms[2];  // the library's own calls are seen
  const std::int64_t outside = allocationsSoFar();
  ASSERT_EQ(ulyssesCommInitAll(comms, 2, nullptr), ulyssesSuccess);
  EXPECT_GT(allocationsSoFar() - outside, 5);
  for (ulyssesComm_t comm : comms) EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
}

TEST(Allocation, NoneRegisteredBlocking) { expectNoAllocation(true, Style::Blocking); }
TEST(Allocation, NonePrivateBlocking) { expectNoAllocation(false, Style::Blocking); }
TEST(Allocation, NoneRegisteredStarted) { expectNoAllocation(true, Style::Started); }
TEST(Allocation, NonePrivateStarted) { expectNoAllocation(false, Style::Started); }
TEST(Allocation, NonePrivateTested) { expectNoAllocation(false, Style::Tested); }

}  // namespace

}  // namespace ulysses::test
