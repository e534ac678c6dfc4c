// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One source per element type, so that they compile side by side. Each picks the instruction set at run time. Workspace
// is as many bytes as the first function says, or more.
#pragma once
#include <ulysses_attention.h>

namespace ulysses::attention {

size_t bytesFloat32(const ulyssesLocalAttention_t& problem);
void computeFloat32(const ulyssesLocalAttention_t& problem);
size_t bytesFloat16(const ulyssesLocalAttention_t& problem);
void computeFloat16(const ulyssesLocalAttention_t& problem);
size_t bytesBfloat16(const ulyssesLocalAttention_t& problem);
void computeBfloat16(const ulyssesLocalAttention_t& problem);

}  // namespace ulysses::attention
