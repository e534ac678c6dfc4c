// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/device/work.h"

namespace ulysses::test {

/// The exchanges of `ranks` ranks as one launch of ranks * blocks blocks, for tools that let only one kernel run at a
/// time (compute-sanitizer). `calls` is in device memory. CUDA's result.
int launchTogether(const device::Arguments* calls, int ranks, int blocks, void* stream);

}  // namespace ulysses::test
