// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#define FMT_HEADER_ONLY  // nothing of it is exported, and this is the one file that compiles all of it
#include "attention/failure.h"

#include <fmt/format.h>

namespace ulysses::attention {

namespace detail {
std::string formatArguments(fmt::string_view text, fmt::format_args arguments) { return fmt::vformat(text, arguments); }
}  // namespace detail

void requireSuccess(ulyssesResult_t result) {
  if (result != ulyssesSuccess) throw Failure(result, ulyssesGetLastError(nullptr));
}

std::string& threadError() {
  thread_local std::string text;
  return text;
}

}  // namespace ulysses::attention
