// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <vector>

#include "case.h"

namespace ulysses::test {

/// The outputs of all ranks when replicas are added, by the host, as ulysses_perf's comparison does it: in ascending
/// order of ranks, rounded once. Of cases of one tensor.
std::vector<std::vector<std::byte>> sumsByHost(const perf::Case& test,
                                               const std::vector<std::vector<std::byte>>& inputs);

}  // namespace ulysses::test
