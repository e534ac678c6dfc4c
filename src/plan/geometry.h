// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a collective is asked to do, as plain values. The plan room is pure: these go in, lists of copies come out; no
// I/O, no memory of the caller, no clock.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/data_type.h"

namespace ulysses {

enum class Operation : int32_t { ScatterHeads, GatherHeads };
enum class TensorKind : int32_t { Query, Kv };
enum class SequenceOrder : int32_t { Contiguous, Zigzag };

constexpr const char* nameOf(Operation operation) {
  return operation == Operation::ScatterHeads ? "scatter_heads" : "gather_heads";
}
constexpr const char* nameOf(TensorKind kind) { return kind == TensorKind::Query ? "query" : "kv"; }
constexpr const char* nameOf(SequenceOrder order) {
  return order == SequenceOrder::Contiguous ? "contiguous" : "zigzag";
}

/// In elements, of a tensor seen as (sequence, batch, KV group, head in group, head_dim); head_dim is contiguous.
struct Strides {
  int64_t sequence = 0, batch = 0, group = 0, head = 0;
  bool operator==(const Strides&) const = default;
};

struct TensorSpec {
  DataType type = DataType::F32;
  TensorKind kind = TensorKind::Query;
  bool sum = false;
  int64_t headDim = 1;
  Strides input, output;

  int64_t rowBytes() const { return headDim * sizeOf(type); }
};

/// What all ranks agree on. Spans are the caller's in a call, the plan's own copies in a plan.
struct Geometry {
  int nRanks = 1;
  int64_t sequence = 0, batch = 1, heads = 1, kvHeads = 1;
  SequenceOrder order = SequenceOrder::Contiguous;
  std::span<const int64_t> tokens;      // empty: equal
  std::span<const int64_t> queryHeads;  // empty: default split
  std::span<const int64_t> cuSeqlens;   // empty: one sequence
  uint64_t tag = 0;                     // the caller's; compared, never used

  /// Query heads per KV head.
  int64_t groupSize() const { return heads / kvHeads; }
};

struct Range {
  int64_t begin = 0, count = 0;
  int64_t end() const { return begin + count; }
  bool operator==(const Range&) const = default;
};

}  // namespace ulysses
