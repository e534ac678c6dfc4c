// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses::test {

/// c = a * b, n x n floats each, n a multiple of 64: work beside which an exchange runs. By plain loops over tiles in
/// shared memory, so it fills the GPU's multiprocessors without being a fast multiplication. CUDA's result.
int launchGemm(const float* a, const float* b, float* c, int n, void* stream);

}  // namespace ulysses::test
