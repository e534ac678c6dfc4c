// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

namespace ulysses::perf {

// What one option alone cannot tell: options that exclude each other, files that cannot be written, launchers that this
// version does not join. Throws InputError. The shape itself is checked by the library's ulyssesGetSplit
// (make_case.cc).
void checkOptions(const Options& options);

}  // namespace ulysses::perf
