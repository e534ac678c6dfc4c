// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange/mismatch.h"

#include <gtest/gtest.h>

#include <functional>

#include "fake_path.h"

namespace ulysses::test {
namespace {

constexpr std::uint64_t kSequence = 9;

CallRecord plainRecord() {
  CallRecord record;
  record.nTensors = 2;
  record.sequence = 64;
  record.batch = 2;
  record.heads = 8;
  record.kvHeads = 4;
  record.tensors[0] = {.type = 3, .kind = 0, .inputOrder = 1234, .outputOrder = 1234, .headDim = 128, .input = {}};
  record.tensors[1] = record.tensors[0];
  return record;
}

/// What rank 1 (a) and rank 3 (b) passed: plain calls but for what `change` does to b's.
struct Pair {
  CallRecord a = plainRecord(), b = plainRecord();
  FakePath path;

  std::string difference() {
    return firstDifference({1, &a, &path, kSequence}, {3, &b, &path, kSequence}, 4).value_or("none");
  }
};

std::string after(const std::function<void(CallRecord&)>& change) {
  Pair pair;
  change(pair.b);
  return pair.difference();
}

std::string text(const char* field, const char* a, const char* b) {
  return std::string(field) + ": rank 1 passed " + a + ", rank 3 passed " + b + "; all ranks must pass the same";
}

TEST(Mismatch, EqualCallsAgree) {
  EXPECT_EQ(after([](CallRecord&) {}), "none");
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[0].input = {1, 2, 3, 4}; }), "none");  // strides may differ
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[5].headDim = 1; }), "none");           // past nTensors
}

TEST(Mismatch, NamesEachFieldOfTheCall) {
  EXPECT_EQ(after([](CallRecord& r) { r.operation = 1; }), text("operation", "scatter_heads", "gather_heads"));
  EXPECT_EQ(after([](CallRecord& r) { r.sequence = 65; }), text("sequence", "64", "65"));
  EXPECT_EQ(after([](CallRecord& r) { r.batch = 3; }), text("batch", "2", "3"));
  EXPECT_EQ(after([](CallRecord& r) { r.heads = 16; }), text("heads", "8", "16"));
  EXPECT_EQ(after([](CallRecord& r) { r.kvHeads = 8; }), text("kvHeads", "4", "8"));
  EXPECT_EQ(after([](CallRecord& r) { r.order = 1; }), text("order", "contiguous", "zigzag"));
  EXPECT_EQ(after([](CallRecord& r) { r.nTensors = 1; }), text("nTensors", "2", "1"));
  EXPECT_EQ(after([](CallRecord& r) { r.nSequences = 5; }), text("nSequences", "0", "5"));
  EXPECT_EQ(after([](CallRecord& r) { r.cuSeqlensHash = 0xab; }),
            text("cuSeqlens", "values of hash 0000000000000000", "00000000000000ab"));
  EXPECT_EQ(after([](CallRecord& r) { r.tag = 0xab; }), text("tag", "0x0000000000000000", "0x00000000000000ab"));
}

TEST(Mismatch, NamesEachFieldOfATensor) {
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[0].kind = 1; }), text("tensors[0].kind", "query", "kv"));
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[1].type = 1; }), text("tensors[1].dtype", "bf16", "f32"));
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[1].headDim = 64; }), text("tensors[1].headDim", "128", "64"));
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[1].sum = 1; }), text("tensors[1].flags", "0", "1"));
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[0].inputOrder = 2134; }),
            text("tensors[0].inputLayout", "dimensions in order sequence,batch,kv group,head",
                 "batch,sequence,kv group,head"));
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[1].outputOrder = 31; }),
            text("tensors[1].outputLayout", "dimensions in order sequence,batch,kv group,head", "kv group,sequence"));
}

TEST(Mismatch, LayoutsAgreeWhereBothCanTell) {
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[0].inputOrder = 13; }), "none");
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[0].outputOrder = 0; }), "none");
}

TEST(Mismatch, NamesTheFirstOfSeveral) {
  const auto change = [](CallRecord& r) {
    r.tensors[1].type = 1, r.tensors[0].headDim = 64, r.heads = 16, r.batch = 3;
  };
  EXPECT_EQ(after(change), text("batch", "2", "3"));
}

TEST(Mismatch, ValuesOutsideTheirListsAreShownAsNumbers) {
  EXPECT_EQ(after([](CallRecord& r) { r.operation = 77; }), text("operation", "scatter_heads", "77"));
  EXPECT_EQ(after([](CallRecord& r) { r.tensors[0].type = -1; }), text("tensors[0].dtype", "bf16", "-1"));
  EXPECT_NE(after([](CallRecord& r) { r.nTensors = 1000; }), "none");  // from a damaged board: no read past the array
}

// Orders come from the peers' memory: digits that name no dimension must not reach outside any table.
TEST(Mismatch, OrdersThatCannotBeAreComparedSafely) {
  for (const std::int32_t order : {9876, 5, 111111111, 2147483647, -1, -1234}) {
    const std::string got = after([&](CallRecord& r) { r.tensors[0].inputOrder = order; });
    EXPECT_TRUE(got == "none" || got.rfind("tensors[0].inputLayout: ", 0) == 0) << order << ": " << got;
  }
}

TEST(Mismatch, NamesTheElementOfAnArray) {
  Pair pair;
  pair.path.tokens = {{1, {10, 20, 30, 4}}, {3, {10, 20, 29, 5}}};
  pair.path.queryHeads = {{1, {2, 2, 2, 2}}, {3, {2, 2, 2, 2}}};
  EXPECT_EQ(pair.difference(), "none");  // the arrays do not count unless the record says so
  pair.a.explicitTokens = 1;
  EXPECT_EQ(pair.difference(), text("tokens", "an array", "NULL"));
  pair.b.explicitTokens = 1;
  EXPECT_EQ(pair.difference(), text("tokens[2]", "30", "29"));
  pair.path.tokens[3] = pair.path.tokens[1];
  pair.b.explicitQueryHeads = 1;
  EXPECT_EQ(pair.difference(), text("queryHeads", "NULL", "an array"));
  pair.a.explicitQueryHeads = 1;
  EXPECT_EQ(pair.difference(), "none");
  pair.path.queryHeads[3][3] = 1;
  EXPECT_EQ(pair.difference(), text("queryHeads[3]", "2", "1"));
}

}  // namespace
}  // namespace ulysses::test
