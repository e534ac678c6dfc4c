// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/pitched_copy.h"

namespace ulysses {

bool PitchedCopies::areRows(const Loop& loop, int64_t width) {
  const auto fits = [&](int64_t pitch) { return width <= pitch && pitch <= kMostPitch; };
  return loop.n > 1 && fits(loop.source) && fits(loop.destination);
}

bool PitchedCopies::areSlices(const Loop& loop, const Loop& rows) {
  const auto fits = [&](int64_t slice, int64_t pitch) { return slice % pitch == 0 && slice / pitch >= rows.n; };
  return loop.n > 1 && fits(loop.source, rows.source) && fits(loop.destination, rows.destination);
}

PitchedCopies::PitchedCopies(const Copy& copy)
    : shape_{.width = copy.runBytes, .source = {copy.runBytes, 1}, .destination = {copy.runBytes, 1}},
      source_(copy.srcOffset),
      destination_(copy.dstOffset) {
  std::array<Loop, View::kDims> loops;
  for (size_t d = 0; d < View::kDims; ++d) loops[d] = {copy.n[d], copy.srcStride[d], copy.dstStride[d]};
  const Loop *rows = nullptr, *slices = nullptr;
  int64_t most = 1;
  const auto consider = [&](const Loop& row, const Loop* slice) {
    const int64_t n = row.n * (slice != nullptr ? slice->n : 1);
    if (n <= most) return;
    most = n;
    rows = &row;
    slices = slice;
  };
  for (const Loop& row : loops) {
    if (!areRows(row, copy.runBytes)) continue;
    consider(row, nullptr);
    for (const Loop& slice : loops)
      if (&slice != &row && areSlices(slice, row)) consider(row, &slice);
  }
  if (rows != nullptr) {
    shape_.height = rows->n;
    shape_.source = {rows->source, rows->n};
    shape_.destination = {rows->destination, rows->n};
  }
  if (slices != nullptr) {
    shape_.depth = slices->n;
    shape_.source.rows = slices->source / rows->source;
    shape_.destination.rows = slices->destination / rows->destination;
  }
  for (const Loop& loop : loops)
    if (loop.n > 1 && &loop != rows && &loop != slices) outer_[nOuter_++] = loop;
}

int64_t PitchedCopies::count() const {
  int64_t n = 1;
  for (const Loop& loop : std::span(outer_).first(nOuter_)) n *= loop.n;
  return n;
}

}  // namespace ulysses
