// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ULYSSES_PERF_CLONES before a function: compiled once for each of these instruction sets, chosen when the program
// starts. Not with sanitizers, whose runtime is not ready when the choice is made.
#pragma once

#if defined(__x86_64__) && defined(__ELF__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ULYSSES_PERF_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ULYSSES_PERF_CLONES
#endif
