// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A plan as kernels take it: boxes to push into peers' outputs and heads to sum from peers' inputs, cut into tiles. All
// geometry comes from src/plan (src/path/cuda/device_work.cc translates); here it is only walked.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/data_type.h"
#include "kernels/device/board.h"
#include "kernels/device/divisor.h"
#include "kernels/device/lease.h"

namespace ulysses::device {

inline constexpr uint32_t kPieceBytes = 16;

/// Rows of a box in canonical order, as pieces of kPieceBytes (a row's last piece may be shorter).
struct Rows {
  Divisor piecesPerRow, heads, groups, batch;
  uint32_t rowBytes = 0;
  uint32_t pieces = 0;     // of all rows; below 2^31
  uint32_t firstTile = 0;  // among the tiles of its peer, or of all sums
};

/// Where the first row of a box is in a shard, in tokens, groups and heads.
struct Corner {
  int64_t token = 0, group = 0, head = 0;
};

struct PushBox {
  int32_t tensor = 0;
  uint32_t alignment = 1;  // bytes, at most 16: divides the source's strides and rows
  Rows rows;
  int64_t sourceOffset = 0;       // bytes from the input's pointer
  int64_t sourceStrides[4] = {};  // bytes
  Corner destination;             // in the peer's output
};

struct SumSource {
  int32_t rank = 0;
  Corner corner;  // in that rank's input
};

/// One KV head of a run of tokens; of one source its bits are copied.
struct SumBox {
  int32_t tensor = 0;
  DataType type = DataType::F32;
  uint32_t alignment = 1;  // bytes, at most 16: divides the destination's strides and rows
  Rows rows;
  int64_t destinationOffset = 0;       // bytes from the output's pointer
  int64_t destinationStrides[4] = {};  // bytes
  uint32_t firstSource = 0, sourceCount = 0;
};

/// One rank's part of an exchange.
struct Work {
  const PushBox* pushes = nullptr;      // by peer
  const uint32_t* firstPush = nullptr;  // [nRanks + 1]
  const uint32_t* pushTiles = nullptr;  // [nRanks]
  const SumBox* sums = nullptr;
  const SumSource* sources = nullptr;
  uint32_t nSums = 0, sumTiles = 0;
  uint32_t tilePieces = 0;
};

/// What a launch does of an exchange. Copy engines move the bytes between ranks between the last two; kAll is without
/// them.
enum class Phase : uint32_t { kAll, kMeetAndPushOwn, kClose };

/// A tensor's strides as TensorPlace has them.
struct Steps {
  int64_t bytes[4] = {};
};

/// Of one launch; everything a kernel gets. Pointers are to memory of this rank's GPU, but for the report.
struct Arguments {
  Lease lease;
  int32_t rank = 0, nRanks = 0, nTensors = 0;
  uint32_t segmentsPerRank = 0;
  std::byte* const* boards = nullptr;  // [nRanks], as this rank maps them
  const Segment* segments = nullptr;   // [nRanks][segmentsPerRank]
  Report* report = nullptr;
  uint64_t timeoutNs = 0;  // of each wait
  uint64_t launch = 0;     // its number among the rank's
  bool sums = false;       // whether any rank has sums
  Phase phase = Phase::kAll;
  // Not null where copies were enqueued: the strides that they take outputs to have, [nRanks][nTensors]. They take
  // segment and offset to be this rank's.
  const Steps* assumed = nullptr;
  Work work;
  const std::byte* inputs[kTensors] = {};
  std::byte* outputs[kTensors] = {};
  Letter letter;
};

}  // namespace ulysses::device
