// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "kernels/device/work.h"

namespace ulysses::device {

/// A piece's place in its box.
struct Place {
  uint32_t token, batch, group, head;
  uint32_t inRow;  // bytes
  uint32_t bytes;  // kPieceBytes, or what is left of the row
};

ULYSSES_HOST_DEVICE inline Place placeOf(const Rows& rows, uint32_t piece) {
  const auto [row, inRow] = rows.piecesPerRow.split(piece);
  const auto [aboveHead, head] = rows.heads.split(row);
  const auto [aboveGroup, group] = rows.groups.split(aboveHead);
  const auto [token, batch] = rows.batch.split(aboveGroup);
  const uint32_t offset = inRow * kPieceBytes, left = rows.rowBytes - offset;
  return {token, batch, group, head, offset, left < kPieceBytes ? left : kPieceBytes};
}

/// Of the piece, or of the last one for those behind the end: one more load of it costs less than a branch before a
/// load.
ULYSSES_HOST_DEVICE inline Place placeBefore(uint32_t end, const Rows& rows, uint32_t piece) {
  return placeOf(rows, piece < end ? piece : end - 1);
}

/// Bytes from a box's first row to the piece.
ULYSSES_HOST_DEVICE inline int64_t offsetOf(const Place& place, const int64_t (&strides)[4]) {
  return place.token * strides[0] + place.batch * strides[1] + place.group * strides[2] + place.head * strides[3] +
         place.inRow;
}

/// Bytes from a tensor's pointer to a box's first row.
ULYSSES_HOST_DEVICE inline int64_t offsetOf(const Corner& corner, const int64_t (&strides)[4]) {
  return corner.token * strides[0] + corner.group * strides[2] + corner.head * strides[3];
}

}  // namespace ulysses::device
