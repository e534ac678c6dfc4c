// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "plan/geometry.h"

namespace ulysses {

/// The extents of one shard of a tensor at one rank, in elements, beside its strides.
struct Shape {
  int64_t tokens = 0, batch = 0, groups = 0, headsPerGroup = 0, headDim = 0;
  bool empty() const { return tokens == 0 || batch == 0 || groups == 0 || headsPerGroup == 0; }
};

/// Bytes [begin, end) relative to a tensor's pointer that a shard touches; {0, 0} when empty.
struct Extent {
  int64_t begin = 0, end = 0;
};

/// Contiguous strides of a shape, by the order of dimensions named in the public header.
Strides sbhd(const Shape& shape);
Strides bshd(const Shape& shape);
Strides bhsd(const Shape& shape);

/// Throws InvalidArgument when the extent does not fit 64 bits; `name` says whose it is.
Extent extentOf(const char* name, const Shape& shape, const Strides& strides, int64_t elementBytes);

/// Whether two elements of the shard may share an address.
bool overlapsItself(const Shape& shape, const Strides& strides);

/// Whether two shards may share an address: `distance` is the second's pointer minus the first's, in bytes. Exact for
/// tensors that interleave with a common stride (slices of one buffer); when unsure, true.
bool mayOverlap(const Shape& a, const Strides& aStrides, int64_t aElementBytes, const Shape& b, const Strides& bStrides,
                int64_t bElementBytes, int64_t distance);

/// Order of the dimensions in memory, slowest first, as decimal digits (1 sequence, 2 batch, 3 group, 4 head).
/// Dimensions of extent 1 have no place, so the code says only what the strides really tell; compared among ranks by
/// `sameOrder`.
int32_t dimensionOrder(const Shape& shape, const Strides& strides);
/// Whether two codes can be of one layout: the dimensions both have stand in the same order.
bool sameOrder(int32_t a, int32_t b);

}  // namespace ulysses
