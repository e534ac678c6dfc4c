// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "ulysses_attention.h"

namespace ulysses::attention {

/// The built-in local attention, as options hold one.
ulyssesResult_t builtInAttention(const ulyssesLocalAttention_t* problem, void* context);
void useBuiltIn(ulyssesAttentionOptions_t& options);

}  // namespace ulysses::attention
