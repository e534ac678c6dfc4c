// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Code of this folder's headers runs on GPUs, and as it is on CPU threads, where the tests prove it.
#pragma once
#ifdef __CUDACC__
#define ULYSSES_HOST_DEVICE __host__ __device__
#else
#define ULYSSES_HOST_DEVICE
#endif

#ifdef __CUDA_ARCH__
#define ULYSSES_UNROLL _Pragma("unroll")
#else
#define ULYSSES_UNROLL
#endif
