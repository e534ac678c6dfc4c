// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "plan/copy.h"

namespace ulysses {

/// What a copy engine moves at once: `depth` slices of `height` rows of `width` bytes. At each end rows are a pitch
/// apart, at least the width, and slices a number of rows, at least the height: as cudaMemcpy2D and 3D have it.
struct PitchedShape {
  struct End {
    int64_t pitch = 0, rows = 1;
  };
  int64_t width = 0, height = 1, depth = 1;
  End source, destination;

  int64_t bytes() const { return width * height * depth; }
  int64_t offsetOf(const End& end, int64_t slice, int64_t row) const { return (slice * end.rows + row) * end.pitch; }
  /// From the first byte to past the last.
  int64_t reach(const End& end) const { return offsetOf(end, depth - 1, height - 1) + width; }
};

/// Of GPUs (cudaDevAttrMaxPitch).
inline constexpr int64_t kMostPitch = (int64_t{1} << 31) - 1;

/// A strided copy as copies of one shape, one for each turn of the outer loops.
class PitchedCopies {
 public:
  /// The fewest that can be had of two of the copy's loops.
  explicit PitchedCopies(const Copy& copy);

  const PitchedShape& shape() const { return shape_; }
  int64_t count() const;

  /// Calls fn(source offset, destination offset) for each, outermost loop first.
  template <typename Fn>
  void forEach(Fn&& fn) const {
    walk(std::span(outer_).first(nOuter_), source_, destination_, fn);
  }

 private:
  struct Loop {
    int64_t n = 1, source = 0, destination = 0;
  };
  template <typename Fn>
  static void walk(std::span<const Loop> loops, int64_t source, int64_t destination, Fn&& fn) {
    if (loops.empty()) return fn(source, destination);
    const Loop& loop = loops.front();
    for (int64_t i = 0; i < loop.n; ++i)
      walk(loops.subspan(1), source + i * loop.source, destination + i * loop.destination, fn);
  }
  static bool areRows(const Loop& loop, int64_t width);
  static bool areSlices(const Loop& loop, const Loop& rows);

  PitchedShape shape_;
  int64_t source_, destination_;
  std::array<Loop, View::kDims> outer_;
  size_t nOuter_ = 0;
};

}  // namespace ulysses
