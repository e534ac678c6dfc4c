// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/status.h"

namespace ulysses {

/// Throws Error with a formatted text. Never on the data path.
template <typename... Args>
[[noreturn]] void raise(Result result, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(result, formatText(text, std::forward<Args>(args)...));
}

/// A caller's argument must satisfy `condition`; the text names the parameter, its value and the remedy.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) raise(Result::InvalidArgument, text, std::forward<Args>(args)...);
}

/// What helps when descriptors ran out; "" for other errors.
inline const char* remedyFor(int error) noexcept {
  if (error == EMFILE) return "; raise this process's limit of descriptors (ulimit -n, RLIMIT_NOFILE)";
  return error == ENFILE ? "; raise the machine's limit of open files (sysctl fs.file-max)" : "";
}

/// Throws SystemError naming the call, errno's text and a remedy.
[[noreturn]] inline void raiseErrno(const char* call, int error = errno) {
  raise(error == ENOMEM ? Result::OutOfMemory : Result::SystemError, "{} failed: {} (errno {}){}", call,
        std::strerror(error), error, remedyFor(error));
}

}  // namespace ulysses
