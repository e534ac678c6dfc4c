// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Replica sums in a plan: which boxes are summands of one value, and in which order.
#include <gtest/gtest.h>

#include <algorithm>

#include "error_of.h"
#include "plan_case.h"

namespace ulysses::test {
namespace {

std::vector<int> holdersOf(const PlanCase& run, std::int64_t kvHead) {
  std::vector<int> holders;
  for (int rank = 0; rank < run.nRanks; ++rank)
    if (run.part(rank).kvBegin <= kvHead && kvHead < run.part(rank).kvBegin + run.part(rank).kvCount)
      holders.push_back(rank);
  return holders;
}

/// A gather with sums of shared KV heads, from a random case; nothing when this seed has none.
std::optional<PlanCase> drawSum(int nRanks, std::uint64_t seed) {
  PlanCase run = drawCase(nRanks, seed);
  const bool sums = std::any_of(run.tensors[0].begin(), run.tensors[0].end(), [](const auto& t) { return t.sum; });
  if (!sums || !run.partition.kvShared) return std::nullopt;
  return run;
}

void expectUnit(const PlanCase& run, const Plan& plan, std::int32_t index) {
  const SumUnit& unit = plan.sumUnits()[static_cast<std::size_t>(index)];
  std::vector<int> ranks;
  for (const SumSource& source : plan.sumSources(unit)) {
    ranks.push_back(source.rank);
    ASSERT_GE(source.receive, plan.firstReceive(source.rank));
    ASSERT_LT(source.receive, plan.firstReceive(source.rank + 1));
    const Receive& receive = plan.receives()[static_cast<std::size_t>(source.receive)];
    EXPECT_EQ(receive.unit, index);
    EXPECT_EQ(rowsOf(plan.destinationView(receive.box)), rowsOf(plan.destinationView(unit.box)));
  }
  EXPECT_EQ(unit.box.groups * unit.box.heads, 1);
  EXPECT_EQ(ranks, holdersOf(run, unit.box.seqGroup)) << "KV head " << unit.box.seqGroup;
  EXPECT_GT(ranks.size(), 1u);
}

TEST(SumUnits, ListEveryReplicaInAscendingRankOrder) {
  int units = 0;
  for (const int nRanks : {2, 3, 4, 5, 7, 8, 16})
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const auto run = drawSum(nRanks, seed);
      if (!run) continue;
      SCOPED_TRACE(testing::Message() << nRanks << " ranks, seed " << seed << ": " << toText(run->spec));
      for (const auto& plan : run->allPlans()) {
        for (std::int32_t i = 0; i < std::ssize(plan->sumUnits()); ++i) expectUnit(*run, *plan, i);
        units += static_cast<int>(plan->sumUnits().size());
      }
    }
  EXPECT_GT(units, 1000);  // the draw must not dry up unnoticed
}

TEST(SumUnits, PlainBoxesHaveNone) {
  for (const int nRanks : {2, 5, 8})
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const PlanCase run = drawCase(nRanks, seed);
      for (const auto& plan : run.allPlans())
        for (const Receive& receive : plan->receives()) {
          const TensorSpec& tensor = plan->tensors()[static_cast<std::size_t>(receive.box.tensor)];
          const bool shared = tensor.sum && holdersOf(run, receive.box.seqGroup).size() > 1;
          EXPECT_EQ(receive.unit >= 0, shared) << "seed " << seed << ": " << toText(run.spec);
        }
    }
}

TEST(SumUnits, RulesOfTheFlag) {
  Geometry geometry;
  geometry.nRanks = 4;
  geometry.sequence = 4;
  geometry.heads = 4;
  geometry.kvHeads = 2;
  const auto plan = [&](Operation operation, TensorKind kind, DataType type, bool sum) {
    const TensorSpec tensor{
        .type = type, .kind = kind, .sum = sum, .headDim = 1, .input = {2, 1, 1, 1}, .output = {4, 4, 2, 1}};
    return errorOf([&] { Plan(operation, geometry, std::span(&tensor, 1), 0); });
  };
  EXPECT_EQ(plan(Operation::GatherHeads, TensorKind::Kv, DataType::F32, true), "");
  EXPECT_EQ(plan(Operation::GatherHeads, TensorKind::Kv, DataType::F32, false),
            "InvalidArgument: tensors[0]: KV head 0 is held by 2 ranks (kvHeads=2, 4 ranks); gathering it needs "
            "ULYSSES_TENSOR_SUM");
  EXPECT_EQ(plan(Operation::GatherHeads, TensorKind::Kv, DataType::I32, true),
            "InvalidArgument: tensors[0].dtype=i32: sums are defined for f64, f32, f16 and bf16");
  EXPECT_EQ(
      plan(Operation::ScatterHeads, TensorKind::Kv, DataType::F32, true),
      "InvalidArgument: tensors[0].flags: ULYSSES_TENSOR_SUM is for KV tensors in GatherHeads, not for a kv tensor "
      "in scatter_heads");
  EXPECT_NE(plan(Operation::GatherHeads, TensorKind::Query, DataType::F32, true).find("query tensor in gather_heads"),
            std::string::npos);
}

}  // namespace
}  // namespace ulysses::test
