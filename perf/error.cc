// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include <cerrno>
#include <cstring>

namespace ulysses::perf {

void throwErrno(const std::string& what) { throw RunError(what + ": " + std::strerror(errno)); }

}  // namespace ulysses::perf
