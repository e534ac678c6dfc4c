// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// GatherHeads with sum is the adjoint of ScatterHeads: <Scatter(x), y> == <x, GatherSum(y)>, exact on small integers.
// Without shared KV heads it is the inverse. Neither test asks the oracle what the outputs should be. Where ranks are
// processes no one has all the outputs: there both ways are compared with the oracle, on the same cases.
#include <gtest/gtest.h>

#include "support/emulated_hosts.h"
#include "support/group_exchange.h"
#include "support/local_comms.h"
#include "support/ranks_main.h"

namespace ulysses::test {

namespace {

constexpr std::int64_t kCases = 400;

/// visit(a, b) for each pair of elements with the same index.
template <typename Visit>
void zip(const Elements& one, const Elements& other, Visit visit) {
  const Dims& dims = one.dims();
  ASSERT_EQ(dims.tokens, other.dims().tokens);
  ASSERT_EQ(dims.heads, other.dims().heads);
  for (std::int64_t token = 0; token < dims.tokens; ++token) {
    for (std::int64_t batch = 0; batch < dims.batch; ++batch) {
      for (std::int64_t head = 0; head < dims.heads; ++head) {
        for (std::int64_t element = 0; element < dims.headDim; ++element) {
          visit(one.at(token, batch, head, element), other.at(token, batch, head, element));
        }
      }
    }
  }
}

double innerProduct(const GroupExchange& one, End oneEnd, const GroupExchange& other, End otherEnd,
                    std::size_t tensor) {
  double product = 0;
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(one.run().nRanks); ++rank) {
    zip(Elements(one, tensor, rank, oneEnd), Elements(other, tensor, rank, otherEnd),
        [&product](double a, double b) { product += a * b; });
  }
  return product;
}

TEST(Adjoint, Processes) {
  RunOptions options = optionsOf(Profile::Adjoint, Mode::Processes, kCases);
  expectRight(options, Mode::Processes);
  options.adjoint = true;
  expectRight(options, Mode::Processes);
  expectHostsCovered(options);
}

TEST(Adjoint, InnerProductsAgree) {
  const RunOptions options = optionsOf(Profile::Adjoint, Mode::Group, kCases);
  const LocalComms comms(options);
  int shared = 0;
  int nonzero = 0;
  for (std::int64_t index = options.first; index < options.first + options.count; ++index) {
    const CommKey key = commOf(options, index);
    const Case forward = caseOf(options, index);
    const Case back = drawAdjoint(forward);
    const GroupExchange scatter(forward, inputImages(forward), comms.byRank(), key);
    const GroupExchange gather(back, inputImages(back), comms.byRank(), key);
    ASSERT_EQ(scatter.failure() + gather.failure(), "") << failureText(options, forward, "group", "adjoint");
    for (std::size_t tensor = 0; tensor < forward.tensors.size(); ++tensor) {
      const double outward = innerProduct(scatter, End::Output, gather, End::Input, tensor);
      const double homeward = innerProduct(scatter, End::Input, gather, End::Output, tensor);
      ASSERT_EQ(outward, homeward) << "tensor " << tensor << " " << toText(back) << "\nadjoint of\n"
                                   << failureText(options, forward, "group", "adjoint");
      nonzero += outward != 0;
    }
    shared += forward.partition.kvShared;
  }
  if (options.count < kCases) return;
  EXPECT_GT(shared, options.count / 10);
  EXPECT_GT(nonzero, options.count / 2);
}

TEST(Inverse, ThereAndBackIsTheSame) {
  const RunOptions options = optionsOf(Profile::Adjoint, Mode::Group, kCases);
  const LocalComms comms(options);
  std::int64_t compared = 0;
  for (std::int64_t index = options.first; index < options.first + options.count; ++index) {
    const CommKey key = commOf(options, index);
    const Case forward = caseOf(options, index);
    if (forward.partition.kvShared) continue;
    const GroupExchange scatter(forward, inputImages(forward), comms.byRank(), key);
    const GroupExchange gather(drawInverse(forward), scatter.images(End::Output), comms.byRank(), key);
    ASSERT_EQ(scatter.failure() + gather.failure(), "") << failureText(options, forward, "group", "inverse");
    std::int64_t wrong = 0;
    for (std::size_t tensor = 0; tensor < forward.tensors.size(); ++tensor) {
      for (std::size_t rank = 0; rank < static_cast<std::size_t>(forward.nRanks); ++rank) {
        zip(Elements(scatter, tensor, rank, End::Input), Elements(gather, tensor, rank, End::Output),
            [&](double a, double b) {
              wrong += a != b;
              ++compared;
            });
      }
    }
    ASSERT_EQ(wrong, 0) << failureText(options, forward, "group", "inverse");
  }
  EXPECT_GT(compared, options.count);
}

}  // namespace

}  // namespace ulysses::test

int main(int argc, char** argv) { return ulysses::test::ranksMain(argc, argv); }
