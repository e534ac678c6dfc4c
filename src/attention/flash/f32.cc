// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernels/simd_targets.h"
// clang-format off: Highway compiles this file once per instruction set, in this order of includes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/flash/f32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include "attention/flash/compute-inl.h"
#include "attention/flash/types.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {
size_t float32Bytes(const ulyssesLocalAttention_t& problem) { return bytesFor<FloatProduct<Float32>>(problem); }
void float32Compute(const ulyssesLocalAttention_t& problem) { computeBy<FloatProduct<Float32>>(problem); }
}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ulysses::attention {

HWY_EXPORT(float32Bytes);
HWY_EXPORT(float32Compute);

size_t bytesFloat32(const ulyssesLocalAttention_t& problem) { return HWY_DYNAMIC_DISPATCH(float32Bytes)(problem); }
void computeFloat32(const ulyssesLocalAttention_t& problem) { HWY_DYNAMIC_DISPATCH(float32Compute)(problem); }

}  // namespace ulysses::attention
#endif
