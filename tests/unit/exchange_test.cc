// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One communicator over several paths.
#include "exchange/exchange.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "fake_path.h"

namespace ulysses::test {
namespace {

Cause causeOf(Result result, int rank, const char* text) {
  Cause cause{.result = static_cast<std::int32_t>(result), .rank = rank};
  copyText(cause.text, text);
  return cause;
}

/// Rank 0 of three reaches rank 1 over one path, rank 2 over another.
struct TwoPaths {
  FakePath first, second;
  Path* const paths[3] = {nullptr, &first, &second};
  Exchange exchange{{.host = "h", .rank = 0, .nRanks = 3, .name = "c"}, paths, 1 << 20, true};
};

TEST(Exchange, IsUsableWhileNoPathIsRevoked) { EXPECT_EQ(TwoPaths().exchange.revokedBy(), Result::Success); }

TEST(Exchange, ACauseOfOnePathGoesOnOverTheOthers) {
  for (const bool bySecond : {false, true}) {
    TwoPaths c;
    FakePath& told = bySecond ? c.second : c.first;
    FakePath& other = bySecond ? c.first : c.second;
    told.revoke(causeOf(Result::RemoteLost, 2, "rank 1 was lost"));
    EXPECT_EQ(c.exchange.revokedBy(), Result::RemoteLost);
    ASSERT_TRUE(other.isRevoked());
    EXPECT_EQ(other.cause().rank, 2);
    EXPECT_EQ(textFrom(other.cause().text), "rank 1 was lost");
  }
}

TEST(Exchange, TheFirstCauseStandsWhenAnotherPathHasItsOwn) {
  TwoPaths c;
  c.second.revoke(causeOf(Result::RemoteLost, 2, "rank 1 was lost"));
  EXPECT_EQ(c.exchange.revokedBy(), Result::RemoteLost);
  c.exchange.revoke(Result::Timeout, "deadline passed");
  EXPECT_EQ(c.exchange.revokedBy(), Result::RemoteLost);
  EXPECT_EQ(textFrom(c.first.cause().text), "rank 1 was lost");
}

}  // namespace
}  // namespace ulysses::test
