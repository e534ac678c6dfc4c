// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/random_layout.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ulysses::test {

namespace {

using Lengths = std::array<std::int64_t, 4>;
using StridePointers = std::array<std::int64_t*, 4>;

Lengths lengthsOf(const Dims& dims) {
  return {dims.tokens, dims.batch, dims.heads / dims.groupSize, dims.heads == 0 ? 0 : dims.groupSize};
}

StridePointers pointersTo(ulyssesStrides_t* strides) {
  return {&strides->sequence, &strides->batch, &strides->group, &strides->head};
}

/// [S, B, slots, D] with a group of heads every groupSlots slots.
ulyssesStrides_t fusedStrides(const Dims& dims, std::int64_t slots, std::int64_t groupSlots) {
  return {dims.batch * slots * dims.headDim, slots * dims.headDim, groupSlots * dims.headDim, dims.headDim};
}

ulyssesStrides_t paddedStrides(const Form& form, const Dims& dims, Rng* rng) {
  ulyssesStrides_t strides = {};
  const Lengths lengths = lengthsOf(dims);
  std::int64_t stride = dims.headDim;
  for (const int axis : form.axes) {
    if (rng->chance(40)) stride += rng->between(1, 5);
    *pointersTo(&strides)[static_cast<std::size_t>(axis)] = stride;
    stride *= std::max<std::int64_t>(1, lengths[static_cast<std::size_t>(axis)]);
  }
  return strides;
}

/// The stride of an axis that is never stepped along says nothing, so it may be anything (PyTorch's often are).
void spoilIdleStrides(const Dims& dims, Rng* rng, ulyssesStrides_t* strides) {
  const Lengths lengths = lengthsOf(dims);
  for (std::size_t axis = 0; axis < lengths.size(); ++axis) {
    if (lengths[axis] > 1) continue;
    *pointersTo(strides)[axis] = rng->pick<std::int64_t>({0, 1, -7, 1000003, std::int64_t{1} << 40});
  }
}

}  // namespace

Form drawForm(Rng* rng, bool isInput) {
  Form form;
  form.kind = rng->pick({Form::Kind::Named, Form::Kind::Named, Form::Kind::Named, Form::Kind::FusedQkv,
                         Form::Kind::Interleaved, Form::Kind::Padded, Form::Kind::Padded});
  form.layout = rng->pick({ulyssesLayoutSBHD, ulyssesLayoutBSHD, ulyssesLayoutBHSD});
  form.slots = rng->between(3, 6);
  form.axes = {3, 2, 1, 0};
  for (int last = 3; last > 0 && rng->chance(70); --last) {
    std::swap(form.axes[static_cast<std::size_t>(last)], form.axes[static_cast<std::size_t>(rng->between(0, last))]);
  }
  if (isInput && form.kind != Form::Kind::Named) {
    if (rng->chance(20)) form.broadcastAxis = rng->pick({1, 1, 1, 0, 2, 3});
    form.mayFlip = rng->chance(25);
  }
  return form;
}

Side drawSide(const Form& form, const Dims& dims, Rng* rng) {
  Side side;
  side.misalignment = static_cast<int>(rng->chance(20) ? rng->between(1, 63) : rng->pick({0, 0, 16, 32}));
  if (form.kind == Form::Kind::Named) {
    side.layout = rng->chance(15) ? ulyssesLayoutStrided : form.layout;  // the same, said by strides
    side.strides = stridesOf(form.layout, dims);
    return side;
  }
  side.layout = ulyssesLayoutStrided;
  const std::int64_t groups = dims.heads / dims.groupSize;
  const std::int64_t groupSlots = dims.groupSize > 1 ? dims.groupSize + 2 : form.slots;
  if (form.kind == Form::Kind::FusedQkv) side.strides = fusedStrides(dims, 3 * dims.heads, dims.groupSize);
  if (form.kind == Form::Kind::Interleaved) side.strides = fusedStrides(dims, groups * groupSlots, groupSlots);
  if (form.kind == Form::Kind::Padded) side.strides = paddedStrides(form, dims, rng);
  if (form.broadcastAxis >= 0 && rng->chance(70))
    *pointersTo(&side.strides)[static_cast<std::size_t>(form.broadcastAxis)] = 0;
  for (std::int64_t* stride : pointersTo(&side.strides)) {
    if (form.mayFlip && rng->chance(40)) *stride = -*stride;
  }
  if (rng->chance(30)) spoilIdleStrides(dims, rng, &side.strides);
  return side;
}

}  // namespace ulysses::test
