// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Words of a command line to values. Each failure is an InputError that names the option, what was given and what would
// do.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.h"

namespace ulysses::perf {

int64_t parseInteger(std::string_view option, std::string_view text, int64_t least, int64_t most);
int64_t parseBytes(std::string_view option, std::string_view text);                  // 64, 32K, 4M, 1G; powers of 1024
double parseFactor(std::string_view option, std::string_view text);                  // > 1
std::vector<int64_t> parseIntegers(std::string_view option, std::string_view text);  // "4,0,4"
std::vector<std::string> splitList(std::string_view text);

template <typename Value>
Value parseChoice(std::string_view option, std::string_view text,
                  std::initializer_list<std::pair<std::string_view, Value>> choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    names.append(names.empty() ? "" : ", ").append(name);
  }
  throw InputError(std::string(option) + " " + std::string(text) + ": no such choice; use one of " + names);
}

}  // namespace ulysses::perf
