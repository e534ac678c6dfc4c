// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "plan/view.h"

namespace ulysses {

/// One strided copy: runs of `runBytes` in a nest of loops, offsets and strides in bytes at both ends. n[3] is the row
/// loop that a kernel takes whole; its order is chosen for the destination, which is written in ascending addresses.
struct Copy {
  int32_t tensor = 0;
  int64_t srcOffset = 0, dstOffset = 0;
  std::array<int64_t, View::kDims> n{1, 1, 1, 1};
  std::array<int64_t, View::kDims> srcStride{}, dstStride{};
  int64_t runBytes = 0;

  int64_t srcAt(int64_t i, int64_t j, int64_t k) const {
    return srcOffset + i * srcStride[0] + j * srcStride[1] + k * srcStride[2];
  }
  int64_t dstAt(int64_t i, int64_t j, int64_t k) const {
    return dstOffset + i * dstStride[0] + j * dstStride[1] + k * dstStride[2];
  }
  int64_t bytes() const { return n[0] * n[1] * n[2] * n[3] * runBytes; }
};

/// The longest-run copy between two views of one box.
Copy makeCopy(int32_t tensor, const View& src, const View& dst);

/// Calls fn(i, j, k) for each turn of the outer loops; n[3] rows remain for the kernel.
template <typename Fn>
void forEachIndex(const Copy& copy, Fn&& fn) {
  for (int64_t i = 0; i < copy.n[0]; ++i)
    for (int64_t j = 0; j < copy.n[1]; ++j)
      for (int64_t k = 0; k < copy.n[2]; ++k) fn(i, j, k);
}

/// Calls fn(srcOffset, dstOffset) for each turn of the outer loops.
template <typename Fn>
void forEachRowBlock(const Copy& copy, Fn&& fn) {
  forEachIndex(copy, [&](int64_t i, int64_t j, int64_t k) { fn(copy.srcAt(i, j, k), copy.dstAt(i, j, k)); });
}

}  // namespace ulysses
