// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Every environment variable of the library: one table, from which the values are read and docs/environment.md is made.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace ulysses::env {

struct Variable {
  const char* name;
  const char* defaultText;
  const char* values;
  const char* help;
};

/// The whole table, in the order of the documentation.
std::span<const Variable> table() noexcept;

/// The value of an integer variable in [low, high], or `fallback` when unset. Throws Error(InvalidArgument) naming the
/// variable, its value and the range when it is not such a number.
int64_t integer(const char* name, int64_t fallback, int64_t low, int64_t high);

/// Which of the words a variable is; 0 when unset. Throws as integer() does.
int choice(const char* name, std::initializer_list<std::string_view> words);

/// The value of a text variable, or nullptr when unset or empty.
const char* text(const char* name) noexcept;

/// What is wrong with a variable's name: "" unless it begins with ULYSSES_ and is not known, then the nearest one that
/// is.
std::string unknownText(std::string_view name);

/// Warns once of all such variables: a misspelt one has no effect, and nobody would know.
void warnOfUnknown();

}  // namespace ulysses::env
