// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace ulysses {

/// Texts in fixed-size records: cut to fit, always terminated when written, never trusted to be when read.
template <size_t N>
void copyText(char (&to)[N], std::string_view from) {
  const size_t length = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

template <size_t N>
std::string textFrom(const char (&from)[N]) {
  return std::string(from, strnlen(from, N));
}

}  // namespace ulysses
