// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ulysses::test {

/// Whether this program's malloc is the counting one (not under a sanitizer, which has its own).
bool countsAllocations();

/// How often malloc and its kin, operator new included, were called in this process, by anyone.
std::int64_t allocationsSoFar();

}  // namespace ulysses::test
