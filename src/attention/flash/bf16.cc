// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#define ULYSSES_FLASH_BFLOAT16
#include "kernels/simd_targets.h"
// clang-format off: Highway compiles this file once per instruction set, in this order of includes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/flash/bf16.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include "attention/flash/compute-inl.h"
#include "attention/flash/types.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_AVX3
/// Rounded probabilities are about as far off as rounded outputs. In a long sequence that averages out below the
/// promised bound; in a short one float products are fast enough. Nothing decides here that differs with the heads of a
/// call.
constexpr int64_t kLongSequence = 256;
bool multipliesBfloat16(const ulyssesLocalAttention_t& problem) {
  return problem.sequence >= kLongSequence && __builtin_cpu_supports("avx512bf16") != 0;
}
size_t bfloat16Bytes(const ulyssesLocalAttention_t& problem) {
  return multipliesBfloat16(problem) ? bytesFor<Bfloat16Product>(problem) : bytesFor<FloatProduct<Bfloat16>>(problem);
}
void bfloat16Compute(const ulyssesLocalAttention_t& problem) {
  multipliesBfloat16(problem) ? computeBy<Bfloat16Product>(problem) : computeBy<FloatProduct<Bfloat16>>(problem);
}
#else
size_t bfloat16Bytes(const ulyssesLocalAttention_t& problem) { return bytesFor<FloatProduct<Bfloat16>>(problem); }
void bfloat16Compute(const ulyssesLocalAttention_t& problem) { computeBy<FloatProduct<Bfloat16>>(problem); }
#endif

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ulysses::attention {

HWY_EXPORT(bfloat16Bytes);
HWY_EXPORT(bfloat16Compute);

size_t bytesBfloat16(const ulyssesLocalAttention_t& problem) { return HWY_DYNAMIC_DISPATCH(bfloat16Bytes)(problem); }
void computeBfloat16(const ulyssesLocalAttention_t& problem) { HWY_DYNAMIC_DISPATCH(bfloat16Compute)(problem); }

}  // namespace ulysses::attention
#endif
