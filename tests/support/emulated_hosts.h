// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What is covered where ranks are told that they are on several hosts, see own_host.h.
#pragma once
#include "support/coverage.h"

namespace ulysses::test {

/// How many cases have which hosts, and shared KV heads of which all holders are on one host, or not.
Coverage hostCoverageOf(const RunOptions& options, int perHost);

/// With emulated hosts: prints the coverage and, where the cases are enough, expects that it is all there. Else
/// nothing.
void expectHostsCovered(const RunOptions& options);

}  // namespace ulysses::test
