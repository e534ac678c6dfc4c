// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/plan_cache.h"

#include <gtest/gtest.h>

#include "error_of.h"

namespace ulysses::test {
namespace {

/// A call of one tensor over two ranks; calls of different lengths are different plans.
Call callOf(std::int64_t sequence) {
  Call call;
  call.geometry.nRanks = 2;
  call.geometry.sequence = sequence;
  call.geometry.heads = call.geometry.kvHeads = 2;
  call.nTensors = 1;
  call.tensors[0].headDim = 4;
  return call;
}

/// Ids are never used again, so they tell a kept plan from one that was made anew at the same address.
std::uint64_t idOf(PlanCache& cache, std::int64_t sequence) { return cache.get(callOf(sequence)).recordId(); }

TEST(PlanCache, HitsReturnTheSameObject) {
  PlanCache cache(0, 4);
  PreparedCall& first = cache.get(callOf(2));
  PreparedCall& other = cache.get(callOf(4));
  EXPECT_NE(&first, &other);
  EXPECT_NE(first.recordId(), other.recordId());
  EXPECT_NE(first.callHash(), other.callHash());
  EXPECT_EQ(&cache.get(callOf(2)), &first);
  EXPECT_EQ(&cache.get(callOf(4)), &other);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(PlanCache, LooksAtArraysByValueAndNotAtMemory) {
  PlanCache cache(0, 4);
  Call call = callOf(4);
  const std::vector<std::int64_t> tokens{1, 3}, same = tokens, others{3, 1};
  std::byte memory[16];
  call.geometry.tokens = tokens;
  PreparedCall& first = cache.get(call);
  call.geometry.tokens = same;
  call.memory.output[0] = memory;
  EXPECT_EQ(&cache.get(call), &first);
  call.geometry.tokens = others;
  EXPECT_NE(cache.get(call).recordId(), first.recordId());
}

TEST(PlanCache, EveryFieldTellsCallsApart) {
  const auto differs = [](auto change) {
    PlanCache cache(0, 8);
    Call call = callOf(4);
    const std::uint64_t id = cache.get(call).recordId();
    change(call);
    return cache.get(call).recordId() != id;
  };
  const std::int64_t one[] = {2, 0}, ends[] = {0, 1, 4};
  EXPECT_FALSE(differs([](Call&) {}));
  EXPECT_TRUE(differs([](Call& c) { c.operation = Operation::GatherHeads; }));
  EXPECT_TRUE(differs([](Call& c) { c.geometry.batch = 2; }));
  EXPECT_TRUE(differs([](Call& c) { c.geometry.heads = 4; }));
  EXPECT_TRUE(differs([](Call& c) { c.geometry.kvHeads = 1; }));
  EXPECT_TRUE(differs([](Call& c) { c.geometry.order = SequenceOrder::Zigzag; }));
  EXPECT_TRUE(differs([&](Call& c) { c.geometry.queryHeads = one; }));
  EXPECT_TRUE(differs([&](Call& c) { c.geometry.cuSeqlens = ends; }));
  EXPECT_TRUE(differs([](Call& c) { c.geometry.tag = 1; }));
  EXPECT_TRUE(differs([](Call& c) { c.nTensors = 2, c.tensors[1] = c.tensors[0]; }));
  EXPECT_TRUE(differs([](Call& c) { c.tensors[0].headDim = 5; }));
  EXPECT_TRUE(differs([](Call& c) { c.tensors[0].type = DataType::BF16; }));
  EXPECT_TRUE(differs([](Call& c) { c.tensors[0].kind = TensorKind::Kv; }));
  EXPECT_TRUE(differs([](Call& c) { c.tensors[0].inputLayout = Layout::Bhsd; }));
  EXPECT_TRUE(differs([](Call& c) { c.tensors[0].outputLayout = Layout::Bshd; }));
}

TEST(PlanCache, DropsTheLeastRecentlyUsed) {
  PlanCache cache(0, 2);
  const std::uint64_t a = idOf(cache, 2), b = idOf(cache, 4);
  EXPECT_EQ(idOf(cache, 2), a);  // b is now the older one
  idOf(cache, 6);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(idOf(cache, 2), a);
  EXPECT_NE(idOf(cache, 4), b);
}

TEST(PlanCache, NeverDropsWhatAnOperationUses) {
  PlanCache cache(0, 2);
  PreparedCall& pinned = cache.get(callOf(2));
  ++pinned.pins;
  const std::uint64_t b = idOf(cache, 4);
  for (std::int64_t sequence = 6; sequence < 20; sequence += 2) idOf(cache, sequence);
  EXPECT_EQ(&cache.get(callOf(2)), &pinned);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_NE(idOf(cache, 4), b);
  --pinned.pins;
}

TEST(PlanCache, GrowsPastItsCapacityOnlyWhileAllIsInUse) {
  PlanCache cache(0, 2);
  PreparedCall *a = &cache.get(callOf(2)), *b = &cache.get(callOf(4));
  ++a->pins, ++b->pins;
  PreparedCall* c = &cache.get(callOf(6));
  ++c->pins;
  EXPECT_EQ(cache.size(), 3u);
  --a->pins, --b->pins, --c->pins;
  idOf(cache, 8);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(PlanCache, FailedCallsAreNotKept) {
  PlanCache cache(0, 2);
  const std::uint64_t a = idOf(cache, 2);
  EXPECT_NE(errorOf([&] { cache.get(callOf(3)); }), "");  // does not divide
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(idOf(cache, 2), a);
}

}  // namespace
}  // namespace ulysses::test
