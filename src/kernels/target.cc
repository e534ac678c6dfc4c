// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernels/simd_targets.h"
// clang-format off: Highway compiles this file once per instruction set, in this order of includes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/target.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on
#include "hwy/cache_control.h"
#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::kernels::HWY_NAMESPACE {
const char* nameOfTarget() { return hwy::TargetName(HWY_TARGET); }
}  // namespace ulysses::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ulysses::kernels {

HWY_EXPORT(nameOfTarget);

const char* targetName() noexcept { return HWY_DYNAMIC_DISPATCH(nameOfTarget)(); }

// A release store orders ordinary stores only: x86 non-temporal ones wait in write-combining buffers until a
// store fence.
void fence() noexcept { hwy::FlushStream(); }

}  // namespace ulysses::kernels
#endif
