// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses::test {

/// c = a * b of floats: a n x depth, b depth x n, c n x n; n a multiple of 64, depth of 16. Work beside which an
/// exchange runs. By plain loops over tiles in shared memory, so it fills the GPU's multiprocessors without being a
/// fast multiplication; the depth sets how long a thread block keeps its place there. CUDA's result.
int launchGemm(const float* a, const float* b, float* c, int n, int depth, void* stream);

}  // namespace ulysses::test
