// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls of the C library that fail when a test wants it: those of the program, and of every shared library in it.
#pragma once

namespace ulysses::test {

/// From now on calls of that name count, of all threads; the n-th fails as the kernel or the C library lets it fail.
void armFailure(const char* call, long n);
/// Counts and fails no more; how many calls were counted.
long disarmFailure();

}  // namespace ulysses::test
