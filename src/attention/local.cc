// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/local.h"

#include "attention/flash/flash.h"

namespace ulysses::attention {
namespace {

size_t builtInWorkspace(const ulyssesLocalAttention_t* problem, void*) { return flashWorkspaceBytes(*problem); }

}  // namespace

ulyssesResult_t builtInAttention(const ulyssesLocalAttention_t* problem, void*) { return flashAttention(*problem); }

void useBuiltIn(ulyssesAttentionOptions_t& options) {
  options.local = builtInAttention;
  options.localWorkspace = builtInWorkspace;
  options.localContext = nullptr;
}

}  // namespace ulysses::attention
