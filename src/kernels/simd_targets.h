// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Included first by every file that uses Highway here, so that all agree on the instruction sets compiled: AVX2, AVX3
// (AVX-512), NEON, and the portable baseline that Highway always keeps. The others cost compile time and size; a
// machine that has none of these three is right, not fast.
#pragma once
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
