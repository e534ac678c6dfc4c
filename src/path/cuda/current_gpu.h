// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace ulysses {

/// The PCI id, "0000:3b:00.0", of the GPU that is current to this thread; empty when the process has not used CUDA so
/// far. Loads nothing and starts nothing, and needs no build with CUDA.
std::string currentGpuPciId() noexcept;

}  // namespace ulysses
