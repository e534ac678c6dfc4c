// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/status.h"

namespace ulysses::test {

/// What a function throws, as "InvalidArgument: text", or "" when it does not: so that one EXPECT shows both.
template <typename Fn>
std::string errorOf(Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return std::string(nameOf(error.result())) + ": " + error.what();
  }
  return "";
}

}  // namespace ulysses::test
