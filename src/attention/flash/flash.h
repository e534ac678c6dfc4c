// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The built-in local attention for CPUs: online softmax over tiles, float32 accumulation, never a matrix of S x S.
// A tile is computed in the same way whatever else is in the call: results do not depend on threads, nor on which heads
// are together in a call.
#pragma once
#include <ulysses_attention.h>

namespace ulysses::attention {

/// Computes the problem, forward or backward, on problem.threads threads; the others end with the call. Types f32, f16
/// and bf16, else NotSupported. InvalidArgument without a thread, or when problem.workspace is smaller than
/// flashWorkspaceBytes said. bfloat16 products of 256 tokens or more take bfloat16 operands where the CPU has such an
/// instruction (AVX512_BF16): probabilities and their gradients are rounded to it then, and subnormal operands are 0.
ulyssesResult_t flashAttention(const ulyssesLocalAttention_t& problem) noexcept;

/// Bytes of workspace for such a problem, whose pointers are not looked at: packed keys and values of all KV heads
/// forward, float32 gradients of the queries backward, and a fixed part for each thread. 0 for other types.
size_t flashWorkspaceBytes(const ulyssesLocalAttention_t& problem) noexcept;

}  // namespace ulysses::attention
