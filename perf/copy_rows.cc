// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "copy_rows.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ulysses::perf {
namespace {

#if defined(__x86_64__)
#define ULYSSES_PERF_ISA avx512
#define ULYSSES_PERF_TARGET __attribute__((target("avx512f")))
#define ULYSSES_PERF_VECTOR_BYTES 64
#define ULYSSES_PERF_STREAM(target, value) _mm512_stream_si512((__m512i*)(target), (__m512i)(value))
#include "copy_rows_isa.inc"

#define ULYSSES_PERF_ISA avx2
#define ULYSSES_PERF_TARGET __attribute__((target("avx2")))
#define ULYSSES_PERF_VECTOR_BYTES 32
#define ULYSSES_PERF_STREAM(target, value) _mm256_stream_si256((__m256i*)(target), (__m256i)(value))
#include "copy_rows_isa.inc"

#define ULYSSES_PERF_ISA baseline
#define ULYSSES_PERF_TARGET
#define ULYSSES_PERF_VECTOR_BYTES 16
#define ULYSSES_PERF_STREAM(target, value) _mm_stream_si128((__m128i*)(target), (__m128i)(value))
#include "copy_rows_isa.inc"

void fence() { _mm_sfence(); }
#else
#define ULYSSES_PERF_ISA baseline
#define ULYSSES_PERF_TARGET
#define ULYSSES_PERF_VECTOR_BYTES 16
#define ULYSSES_PERF_STREAM(target, value) (*(target) = (value))
#include "copy_rows_isa.inc"

void fence() {}
#endif

}  // namespace

CopyKernel copyKernel(FloorKernel kernel) {
  const bool streamed = kernel == FloorKernel::kStreamX8;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    return streamed ? CopyKernel{avx512::copyStreamed, avx512::mergeStreamed, fence}
                    : CopyKernel{avx512::copyPlainly, avx512::mergePlainly, fence};
  }
  if (__builtin_cpu_supports("avx2")) {
    return streamed ? CopyKernel{avx2::copyStreamed, avx2::mergeStreamed, fence}
                    : CopyKernel{avx2::copyPlainly, avx2::mergePlainly, fence};
  }
#endif
  return streamed ? CopyKernel{baseline::copyStreamed, baseline::mergeStreamed, fence}
                  : CopyKernel{baseline::copyPlainly, baseline::mergePlainly, fence};
}

}  // namespace ulysses::perf
