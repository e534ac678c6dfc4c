// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernels/simd_targets.h"
// clang-format off: Highway compiles this file once per instruction set, in this order of includes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/flash/f16.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include "attention/flash/compute-inl.h"
#include "attention/flash/types.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {
size_t float16Bytes(const ulyssesLocalAttention_t& problem) { return bytesFor<FloatProduct<Float16>>(problem); }
void float16Compute(const ulyssesLocalAttention_t& problem) { computeBy<FloatProduct<Float16>>(problem); }
}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ulysses::attention {

HWY_EXPORT(float16Bytes);
HWY_EXPORT(float16Compute);

size_t bytesFloat16(const ulyssesLocalAttention_t& problem) { return HWY_DYNAMIC_DISPATCH(float16Bytes)(problem); }
void computeFloat16(const ulyssesLocalAttention_t& problem) { HWY_DYNAMIC_DISPATCH(float16Compute)(problem); }

}  // namespace ulysses::attention
#endif
