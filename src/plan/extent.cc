// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/extent.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/check.h"

namespace ulysses {
namespace {

struct Axis {
  int64_t n, stride;  // stride in bytes, made positive
};
using Axes = std::array<Axis, 4>;

/// Axes with positive strides, the longest stride first; head_dim is not among them.
Axes sortedAxes(const Shape& shape, const Strides& strides, int64_t bytes) {
  Axes axes{{{shape.tokens, std::abs(strides.sequence) * bytes},
             {shape.batch, std::abs(strides.batch) * bytes},
             {shape.groups, std::abs(strides.group) * bytes},
             {shape.headsPerGroup, std::abs(strides.head) * bytes}}};
  for (Axis& axis : axes)
    if (axis.n == 1) axis.stride = 0;  // never stepped along
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
  return axes;
}

/// Bytes from the lowest address of the axes from `first` on to one past the highest.
int64_t span(const Axes& axes, size_t first, int64_t runBytes) {
  int64_t bytes = runBytes;
  for (size_t i = first; i < axes.size(); ++i) bytes += (axes[i].n - 1) * axes[i].stride;
  return bytes;
}

/// `distance`: lowest address of b minus lowest of a. Peels off outer axes that both have with the same stride.
bool axesMayMeet(const Axes& a, int64_t aRun, const Axes& b, int64_t bRun, size_t first, int64_t distance) {
  if (distance >= span(a, first, aRun) || -distance >= span(b, first, bRun)) return false;
  if (first == a.size()) return true;
  const int64_t stride = a[first].stride;
  if (stride != b[first].stride) return true;  // no common lattice: do not guess
  if (stride == 0) return axesMayMeet(a, aRun, b, bRun, first + 1, distance);
  if (span(a, first + 1, aRun) > stride || span(b, first + 1, bRun) > stride) return true;
  const int64_t steps = distance / stride - (distance % stride < 0 ? 1 : 0);
  return axesMayMeet(a, aRun, b, bRun, first + 1, distance - steps * stride) ||
         axesMayMeet(a, aRun, b, bRun, first + 1, distance - (steps + 1) * stride);
}

/// Adds (n - 1) * stride to the side of the extent it points to; false on overflow.
bool stretch(Extent& extent, int64_t n, int64_t stride) {
  int64_t reach = 0;
  if (__builtin_mul_overflow(n - 1, stride, &reach)) return false;
  int64_t& side = reach < 0 ? extent.begin : extent.end;
  return !__builtin_add_overflow(side, reach, &side);
}

}  // namespace

Strides sbhd(const Shape& s) {
  const int64_t heads = s.groups * s.headsPerGroup;
  return {s.batch * heads * s.headDim, heads * s.headDim, s.headsPerGroup * s.headDim, s.headDim};
}

Strides bshd(const Shape& s) {
  const int64_t heads = s.groups * s.headsPerGroup;
  return {heads * s.headDim, s.tokens * heads * s.headDim, s.headsPerGroup * s.headDim, s.headDim};
}

Strides bhsd(const Shape& s) {
  const int64_t heads = s.groups * s.headsPerGroup;
  return {s.headDim, heads * s.tokens * s.headDim, s.headsPerGroup * s.tokens * s.headDim, s.tokens * s.headDim};
}

Extent extentOf(const char* name, const Shape& shape, const Strides& strides, int64_t elementBytes) {
  if (shape.empty()) return {};
  Extent extent{0, shape.headDim};
  const bool fits = stretch(extent, shape.tokens, strides.sequence) && stretch(extent, shape.batch, strides.batch) &&
                    stretch(extent, shape.groups, strides.group) &&
                    stretch(extent, shape.headsPerGroup, strides.head) &&
                    !__builtin_mul_overflow(extent.begin, elementBytes, &extent.begin) &&
                    !__builtin_mul_overflow(extent.end, elementBytes, &extent.end);
  require(
      fits,
      "{}: {} tokens x batch {} x {} groups x {} heads x headDim {} with strides ({}, {}, {}, {}) and {}-byte elements "
      "does not fit 64 bits",
      name, shape.tokens, shape.batch, shape.groups, shape.headsPerGroup, shape.headDim, strides.sequence,
      strides.batch, strides.group, strides.head, elementBytes);
  constexpr int64_t kAddressSpace = int64_t{1} << 56;  // of the largest page tables there are
  int64_t bytes = 0;
  require(!__builtin_sub_overflow(extent.end, extent.begin, &bytes) && bytes <= kAddressSpace,
          "{}: reaches from byte {} to {} by its strides ({}, {}, {}, {}), which no address space holds", name,
          extent.begin, extent.end, strides.sequence, strides.batch, strides.group, strides.head);
  return extent;
}

bool overlapsItself(const Shape& shape, const Strides& strides) {
  if (shape.empty()) return false;
  const Axes axes = sortedAxes(shape, strides, 1);
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].n > 1 && axes[i].stride < span(axes, i + 1, shape.headDim)) return true;
  return false;
}

bool mayOverlap(const Shape& a, const Strides& aStrides, int64_t aElementBytes, const Shape& b, const Strides& bStrides,
                int64_t bElementBytes, int64_t distance) {
  if (a.empty() || b.empty()) return false;
  const Extent aExtent = extentOf("tensor", a, aStrides, aElementBytes);
  const Extent bExtent = extentOf("tensor", b, bStrides, bElementBytes);
  return axesMayMeet(sortedAxes(a, aStrides, aElementBytes), a.headDim * aElementBytes,
                     sortedAxes(b, bStrides, bElementBytes), b.headDim * bElementBytes, 0,
                     distance + bExtent.begin - aExtent.begin);
}

int32_t dimensionOrder(const Shape& shape, const Strides& strides) {
  struct Named {
    int64_t stride;
    int32_t name;
  };
  std::array<Named, 4> dims{};
  size_t count = 0;
  const auto add = [&](int64_t n, int64_t stride, int32_t name) {
    if (n > 1 && stride != 0) dims[count++] = {std::abs(stride), name};
  };
  if (!shape.empty()) {
    add(shape.tokens, strides.sequence, 1);
    add(shape.batch, strides.batch, 2);
    add(shape.groups, strides.group, 3);
    add(shape.headsPerGroup, strides.head, 4);
  }
  std::stable_sort(dims.begin(), dims.begin() + count,
                   [](const Named& x, const Named& y) { return x.stride > y.stride; });
  int32_t code = 0;
  for (size_t i = 0; i < count; ++i) code = code * 10 + dims[i].name;
  return code;
}

bool sameOrder(int32_t a, int32_t b) {
  std::array<int, 10> place{};  // place of each dimension (a decimal digit) in a, from the fastest, 0: absent
  for (int at = 1; a > 0; a /= 10, ++at) place[static_cast<size_t>(a % 10)] = at;
  for (int last = 0; b > 0; b /= 10) {
    const int at = place[static_cast<size_t>(b % 10)];
    if (at == 0) continue;
    if (at < last) return false;
    last = at;
  }
  return true;
}

}  // namespace ulysses
