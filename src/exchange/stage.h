// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How the boxes between two ranks are cut into chunks when they cannot be read in place. Sender and receiver run the
// same cursor over the same boxes, so no chunk needs a header.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "plan/streams.h"

namespace ulysses {

/// Rows [rowBegin, rowEnd) of the canonical order of a box (a row is head_dim contiguous elements) at a place in a
/// chunk.
struct StagePiece {
  int64_t index;  // of the entry, in the pair's stream
  int64_t rowBegin, rowEnd;
  int64_t chunkOffset;
  bool startsChunk;
};

/// Position in the stream of one pair. Pieces of a box are cut at places that depend on the box alone, so that the
/// summands of one KV head, which several ranks send, are cut alike.
class StageCursor {
 public:
  StageCursor() = default;
  void reset(uint32_t stagedTensors, int64_t chunkBytes) { *this = StageCursor(stagedTensors, chunkBytes); }

  /// The next piece, or nothing at the end. An entry is staged when its tensor is, or always.
  template <typename Entry>
  std::optional<StagePiece> peek(const Plan& plan, std::span<const Entry> entries) {
    const auto count = std::ssize(entries);
    const auto isStaged = [&](const Entry& entry) { return entry.always || (stagedTensors_ >> entry.box->tensor & 1); };
    while (index_ < count && !isStaged(entries[static_cast<size_t>(index_)])) ++index_;
    if (index_ >= count) return std::nullopt;
    const Box& box = *entries[static_cast<size_t>(index_)].box;
    const int64_t rowBytes = plan.tensors()[static_cast<size_t>(box.tensor)].rowBytes();
    const int64_t batch = plan.geometry().batch;
    int64_t most = chunkBytes_ / rowBytes;
    if (most > batch) most -= most % batch;  // whole tokens: longer strips at both ends
    const int64_t rows = std::min(box.rows(batch) - row_, most);
    const int64_t at = (offset_ + kAlign - 1) / kAlign * kAlign;
    const bool isFirst = row_ == 0 && entries[static_cast<size_t>(index_)].apart;
    const bool starts = isFirst || at + rows * rowBytes > chunkBytes_;
    return StagePiece{index_, row_, row_ + rows, starts ? 0 : at, starts};
  }

  void advance(const Plan& plan, const Box& box, const StagePiece& piece) {
    const int64_t rowBytes = plan.tensors()[static_cast<size_t>(box.tensor)].rowBytes();
    offset_ = piece.chunkOffset + (piece.rowEnd - piece.rowBegin) * rowBytes;
    row_ = piece.rowEnd;
    if (row_ < box.rows(plan.geometry().batch)) return;
    row_ = 0;
    ++index_;
  }

  /// Of the chunk that holds the last piece passed: bytes up to that piece's end.
  int64_t usedBytes() const { return offset_; }

 private:
  static constexpr int64_t kAlign = 64;
  StageCursor(uint32_t stagedTensors, int64_t chunkBytes)
      : stagedTensors_(stagedTensors), chunkBytes_(chunkBytes), offset_(chunkBytes) {}

  uint32_t stagedTensors_ = 0;
  int64_t chunkBytes_ = 0;
  int64_t index_ = 0, row_ = 0;
  int64_t offset_ = 0;  // of the next free byte in the chunk; a full chunk at first, so that the first piece starts one
};

}  // namespace ulysses
