// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/core.h>

#include <string>

namespace ulysses {

namespace detail {
/// The one function that is compiled with all of fmt (format.cc), header-only so that the library exports none of it
/// and every other file compiles in a sixth of the time.
std::string formatArguments(fmt::string_view text, fmt::format_args arguments);
}  // namespace detail

/// fmt's format: "{}" places, checked when compiled.
template <typename... Args>
std::string formatText(fmt::format_string<Args...> text, Args&&... args) {
  return detail::formatArguments(text, fmt::make_format_args(args...));
}

/// A pointer as a value to print.
inline const void* address(const void* pointer) { return pointer; }

}  // namespace ulysses
