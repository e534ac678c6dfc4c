// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>

#include "path/cuda/runtime.h"
#include "plan/plan.h"

namespace ulysses {

/// A tensor's rows at one end of it, as copies walk them.
struct ShardRows {
  device::TensorPlace place;
  std::array<int64_t, 4> counts{};  // tokens, batch, groups, heads; one where a step leads to the same place
  int64_t rowBytes = 0;
  int64_t piecesPerRow() const { return (rowBytes + device::kPieceBytes - 1) / device::kPieceBytes; }
  int64_t piecesPerToken() const { return counts[1] * counts[2] * counts[3] * piecesPerRow(); }
};

/// `place`: placeOf(plan, tensor, input). Throws NotSupported, naming the tensor, when a token is more than can be
/// counted.
ShardRows rowsOf(const Plan& plan, int tensor, bool input, const device::TensorPlace& place);

/// Copies of shards that go in one launch, or in more where one is full. Takes no memory.
class ShardBatch {
 public:
  /// `unless`: see ShardCopies.
  ShardBatch(DeviceRuntime& runtime, const device::Lease& lease, uint32_t tilePieces, int blocks, void* stream,
             const uint32_t* unless = nullptr);

  /// From one place to another that has the same strides.
  void add(const ShardRows& rows, const std::byte* from, std::byte* to);
  void flush();

 private:
  void add(const device::ShardCopy& copy);

  DeviceRuntime& runtime_;
  int blocks_;
  void* stream_;
  device::ShardCopies copies_;
};

}  // namespace ulysses
