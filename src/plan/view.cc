// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/view.h"

namespace ulysses {

View viewOf(const Box& box, Side side, const Geometry& geometry, const TensorSpec& tensor, const Strides& strides) {
  const int64_t bytes = sizeOf(tensor.type);
  const auto [token, group, head] = startOf(box, side);
  View view;
  view.offset = (token * strides.sequence + group * strides.group + head * strides.head) * bytes;
  view.n = {box.tokens, geometry.batch, box.groups, box.heads};
  // A stride that is never stepped along may be anything, also what does not fit in bytes.
  const auto step = [&](int64_t n, int64_t stride) { return n > 1 ? stride * bytes : 0; };
  view.stride = {step(box.tokens, strides.sequence), step(geometry.batch, strides.batch),
                 step(box.groups, strides.group), step(box.heads, strides.head)};
  view.runBytes = tensor.rowBytes();
  return view;
}

View coalesce(View view) {
  View out{.offset = view.offset, .runBytes = view.runBytes};
  size_t filled = View::kDims;  // out's dimensions are filled from the fastest down
  for (size_t dim = View::kDims; dim-- > 0;) {
    const int64_t n = view.n[dim], stride = view.stride[dim];
    if (n == 1) continue;
    if (filled == View::kDims && stride == out.runBytes) {
      out.runBytes *= n;
    } else if (filled < View::kDims && stride == out.stride[filled] * out.n[filled]) {
      out.n[filled] *= n;
    } else {
      --filled;
      out.n[filled] = n;
      out.stride[filled] = stride;
    }
  }
  return out;
}

}  // namespace ulysses
