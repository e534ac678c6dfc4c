// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Elements that are summed: what they are added as, and the one rounding.
#pragma once
#include <cstdint>

#include "kernels/device/portable.h"
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif
#include "kernels/half.h"

namespace ulysses::device {

template <typename T>
struct Plain {
  using Element = T;
  using Sum = T;
  ULYSSES_HOST_DEVICE static Sum widen(Element element) { return element; }
  ULYSSES_HOST_DEVICE static Element round(Sum sum) { return sum; }
};
using F64 = Plain<double>;
using F32 = Plain<float>;

// On a GPU a sum that is not a number has all bits of its fraction set, which the rounding for CPUs would carry away.
struct F16 {
  using Element = uint16_t;
  using Sum = float;
  ULYSSES_HOST_DEVICE static Sum widen(Element element) {
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(element));
#else
    return kernels::floatFromFloat16(element);
#endif
  }
  ULYSSES_HOST_DEVICE static Element round(Sum sum) {
#ifdef __CUDA_ARCH__
    return __half_as_ushort(__float2half_rn(sum));
#else
    return kernels::float16FromFloat(sum);
#endif
  }
};

struct Bf16 {
  using Element = uint16_t;
  using Sum = float;
  ULYSSES_HOST_DEVICE static Sum widen(Element element) {
#ifdef __CUDA_ARCH__
    return __bfloat162float(__ushort_as_bfloat16(element));
#else
    return kernels::floatFromBfloat16(element);
#endif
  }
  ULYSSES_HOST_DEVICE static Element round(Sum sum) {
#ifdef __CUDA_ARCH__
    return __bfloat16_as_ushort(__float2bfloat16_rn(sum));
#else
    return kernels::bfloat16FromFloat(sum);
#endif
  }
};

}  // namespace ulysses::device
