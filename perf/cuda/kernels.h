// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Kernels of the comparisons, launched on a cudaStream_t. They return a cudaError_t.
#pragma once

#include <cstddef>
#include <cstdint>

#include "strided.h"

namespace ulysses::perf {

int launchStrided(std::byte* to, const std::byte* from, const StridedPass& pass, void* stream);
int launchRewrite(std::byte* data, int64_t bytes, void* stream);
// `sink` gets a word that depends on all that was read, so that nothing is left out.
int launchRead(const std::byte* data, int64_t bytes, uint32_t* sink, void* stream);

}  // namespace ulysses::perf
