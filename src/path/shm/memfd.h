// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "base/unique_fd.h"

namespace ulysses {

/// An anonymous shared file of that size whose pages are all there, sealed against resizing: it has no name, so nothing
/// is left after kill -9, and no peer can truncate it under a reader. Throws OutOfMemory with needed and available
/// bytes when the memory cgroup or the machine has not that much, before a page is taken; SystemError otherwise.
UniqueFd createMemfd(const char* name, size_t bytes);

}  // namespace ulysses
