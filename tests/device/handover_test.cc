// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How a stream hands calls to its host, with CPU threads as the kernels' and one as the host. Under the thread
// sanitizer this also shows that neither touches bytes of the other's before the words that order it.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "cpu_ranks.h"
#include "path/cuda/handover_end.h"

namespace ulysses::test {
namespace {

using device::HandoverStep;

class Handing : public testing::Test {
 protected:
  void step(HandoverStep step) {
    call_.step = step;
    launchHandover(call_, 3);
  }
  bool tookWithin(std::chrono::milliseconds patience) {
    for (const auto begin = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - begin < patience;) {
      if (const auto order = end_.take()) {
        taken_ = *order;
        return true;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return false;
  }

  device::Handover words_{};
  device::HandoverState state_{.epoch = kHandoversAtStart, .failed = 0};
  HandoverEnd end_{words_};
  device::HandoverCall call_{.lease = {}, .shared = &words_, .state = &state_, .timeoutNs = 20'000'000'000};
  device::Order taken_;
};

// What was written before the post is there for the host, and what the host wrote before the end for the stream.
TEST_F(Handing, FollowsOneAnotherAcrossTheWrap) {
  constexpr std::uint32_t kCalls = 100;
  std::uint64_t image = 0, wrong = 0;
  std::jthread host([&] {
    for (std::uint32_t i = 0; i < kCalls && tookWithin(std::chrono::seconds(20)); ++i) {
      wrong += taken_.plan != i || taken_.outputs[7] != reinterpret_cast<std::byte*>(&image) || image != i;
      image = i + 1000;
      end_.end(false);
    }
  });
  for (std::uint32_t i = 0; i < kCalls; ++i) {
    image = i;
    call_.order.plan = i;
    call_.order.outputs[7] = reinterpret_cast<std::byte*>(&image);
    step(HandoverStep::kPost);
    step(HandoverStep::kAwait);
    ASSERT_EQ(state_.failed, 0u) << i;
    ASSERT_EQ(image, i + 1000) << i;
  }
  host.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(end_.number(), kCalls);
  EXPECT_EQ(state_.epoch, kHandoversAtStart + kCalls);
}

TEST_F(Handing, AfterAFailureNothingIsPostedAndNothingWaits) {
  step(HandoverStep::kPost);
  ASSERT_TRUE(tookWithin(std::chrono::seconds(1)));
  end_.end(true);
  step(HandoverStep::kAwait);
  EXPECT_EQ(state_.failed, 1u);
  EXPECT_FALSE(end_.lost());
  call_.order.plan = 99;
  step(HandoverStep::kPost);
  EXPECT_EQ(words_.posted.order.plan, 0u) << "the host may still look at the one that failed";
  EXPECT_FALSE(tookWithin(std::chrono::milliseconds(20)));
  step(HandoverStep::kAwait);  // returns, or this test would be killed
}

TEST_F(Handing, AHostThatDoesNotComeIsReported) {
  call_.timeoutNs = 50'000'000;
  for (int call = 1; call <= 2; ++call) {
    step(HandoverStep::kPost);
    step(HandoverStep::kAwait);
    EXPECT_EQ(end_.lost(), 1u) << "the first stays the one that is told";
  }
  EXPECT_EQ(state_.failed, 1u);
}

// Outputs stay as they are after a failure: that is what the word is for.
TEST_F(Handing, CopiesAreMadeUnlessTheCallFailed) {
  const std::byte from[32] = {std::byte{1}, std::byte{2}};
  std::byte to[32] = {};
  device::ShardCopies copies = device::oneRow(to, from, sizeof(from));
  copies.unless = &state_.failed;
  state_.failed = 1;
  launchCopies(copies, 2, 2);
  EXPECT_EQ(to[0], std::byte{0});
  state_.failed = 0;
  launchCopies(copies, 2, 2);
  EXPECT_EQ(to[1], std::byte{2});
}

}  // namespace
}  // namespace ulysses::test
