// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Plans as data: what they list for random geometry, against the index map of the specification.
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "plan_case.h"

namespace ulysses::test {
namespace {

constexpr std::uint64_t kCases = 150;

/// The rows of a list of boxes of one tensor, as (source, destination) offsets; sorted.
template <typename Boxes, typename BoxOf>
RowPairs rowsOfBoxes(const Boxes& boxes, int tensor, BoxOf&& boxOf, const Plan& plan, const Strides& sourceInput) {
  RowPairs rows;
  for (const auto& entry : boxes) {
    const Box& box = boxOf(entry);
    if (box.tensor != tensor) continue;
    const auto from = rowsOf(plan.sourceView(box, sourceInput)), to = rowsOf(plan.destinationView(box));
    for (std::size_t i = 0; i < from.size(); ++i) rows.emplace_back(from[i], to[i]);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

auto fieldsOf(const Box& box) {
  return std::tuple(box.tensor, box.tokens, box.groups, box.heads, box.seqToken, box.gatheredToken, box.seqGroup,
                    box.seqHead, box.headGroup);
}

class PlanOfRanks : public testing::TestWithParam<int> {
 protected:
  template <typename Fn>
  void forEachCase(Fn&& fn) {
    for (std::uint64_t seed = 0; seed < kCases; ++seed) {
      const PlanCase run = drawCase(GetParam(), seed);
      SCOPED_TRACE(testing::Message() << nameOf(run.operation) << " over " << run.nRanks << " ranks, seed " << seed
                                      << ": " << toText(run.spec));
      fn(run);
      if (HasFailure()) return;  // one case is enough to look at
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Ranks, PlanOfRanks, testing::Values(1, 2, 3, 4, 5, 7, 8, 16),
                         testing::PrintToStringParamName());

TEST_P(PlanOfRanks, ReceivesAreTheIndexMap) {
  forEachCase([](const PlanCase& run) {
    for (int rank = 0; rank < run.nRanks; ++rank) {
      const auto plan = run.planOf(rank);
      for (int source = 0; source < run.nRanks; ++source)
        for (int t = 0; t < std::ssize(plan->tensors()); ++t)
          EXPECT_EQ(rowsOfBoxes(
                        plan->receivesFrom(source), t, [](const Receive& r) -> const Box& { return r.box; }, *plan,
                        run.tensorsOf(source)[static_cast<std::size_t>(t)].input),
                    mappedRows(run, t, source, rank))
              << "from " << source << " to " << rank << ", tensor " << t;
    }
  });
}

// The other end of it: every source element goes to exactly the ranks that hold its head (or its token).
TEST_P(PlanOfRanks, SendsAreTheIndexMap) {
  forEachCase([](const PlanCase& run) {
    for (int rank = 0; rank < run.nRanks; ++rank) {
      const auto plan = run.planOf(rank);
      for (int peer = 0; peer < run.nRanks; ++peer)
        for (int t = 0; t < std::ssize(plan->tensors()); ++t) {
          std::vector<std::int64_t> sent, wanted;
          for (const Box& box : plan->sendsTo(peer))
            if (box.tensor == t)
              for (const std::int64_t row : rowsOf(plan->sourceView(box))) sent.push_back(row);
          for (const auto& [from, to] : mappedRows(run, t, rank, peer)) wanted.push_back(from);
          std::sort(sent.begin(), sent.end());
          EXPECT_EQ(sent, wanted) << "from " << rank << " to " << peer << ", tensor " << t;
        }
    }
  });
}

TEST_P(PlanOfRanks, EveryOutputRowIsWrittenOnce) {
  forEachCase([](const PlanCase& run) {
    for (int rank = 0; rank < run.nRanks; ++rank) {
      const auto plan = run.planOf(rank);
      for (int t = 0; t < std::ssize(plan->tensors()); ++t) {
        const TensorSpec& tensor = run.tensorsOf(rank)[static_cast<std::size_t>(t)];
        const Shape shape =
            run.operation == Operation::ScatterHeads ? headShape(run, tensor, rank) : sequenceShape(run, tensor, rank);
        std::vector<std::int64_t> written;
        const auto write = [&](const Box& box) {
          if (box.tensor != t) return;
          for (const std::int64_t row : rowsOf(plan->destinationView(box))) written.push_back(row);
        };
        for (const Receive& receive : plan->receives())
          if (receive.unit < 0) write(receive.box);
        for (const SumUnit& unit : plan->sumUnits()) write(unit.box);
        std::sort(written.begin(), written.end());
        EXPECT_EQ(written, rowsOf(shape, tensor.output, sizeOf(tensor.type))) << "rank " << rank << ", tensor " << t;
      }
    }
  });
}

TEST_P(PlanOfRanks, BothEndsListTheSameBoxesInOrder) {
  forEachCase([](const PlanCase& run) {
    const auto plans = run.allPlans();
    for (const auto& from : plans)
      for (const auto& to : plans) {
        const auto sent = from->sendsTo(to->rank());
        const auto received = to->receivesFrom(from->rank());
        ASSERT_EQ(sent.size(), received.size());
        for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(fieldsOf(sent[i]), fieldsOf(received[i].box));
        EXPECT_EQ(from->bytesTo(to->rank()), to->bytesFrom(from->rank()));
      }
  });
}

TEST_P(PlanOfRanks, BytesAddUp) {
  forEachCase([](const PlanCase& run) {
    for (const auto& plan : run.allPlans()) {
      std::int64_t all = 0;
      for (int source = 0; source < run.nRanks; ++source) {
        std::int64_t bytes = 0;
        for (int t = 0; t < std::ssize(plan->tensors()); ++t)
          bytes += std::ssize(mappedRows(run, t, source, plan->rank())) *
                   plan->tensors()[static_cast<std::size_t>(t)].rowBytes();
        EXPECT_EQ(plan->bytesFrom(source), bytes);
        all += bytes;
      }
      EXPECT_EQ(plan->bytesReceived(), all);
    }
  });
}

// Copies as an engine runs them: outer loops, then rows.
TEST_P(PlanOfRanks, BoundCopiesAreTheIndexMap) {
  forEachCase([](const PlanCase& run) {
    for (const auto& plan : run.allPlans()) {
      std::vector<Copy> copies(plan->receives().size());
      for (int source = 0; source < run.nRanks; ++source) {
        std::vector<Strides> inputs;
        for (const TensorSpec& tensor : run.tensorsOf(source)) inputs.push_back(tensor.input);
        plan->bindSource(source, inputs, copies);
        for (int t = 0; t < std::ssize(plan->tensors()); ++t) {
          const std::int64_t rowBytes = plan->tensors()[static_cast<std::size_t>(t)].rowBytes();
          RowPairs rows;
          for (std::int64_t i = plan->firstReceive(source); i < plan->firstReceive(source + 1); ++i) {
            const Copy& copy = copies[static_cast<std::size_t>(i)];
            if (copy.tensor != t) continue;
            forEachRowBlock(copy, [&](std::int64_t from, std::int64_t to) {
              for (std::int64_t row = 0; row < copy.n[3]; ++row)
                for (std::int64_t at = 0; at < copy.runBytes; at += rowBytes)
                  rows.emplace_back(from + row * copy.srcStride[3] + at, to + row * copy.dstStride[3] + at);
            });
          }
          std::sort(rows.begin(), rows.end());
          EXPECT_EQ(rows, mappedRows(run, t, source, plan->rank()));
        }
      }
    }
  });
}

}  // namespace
}  // namespace ulysses::test
