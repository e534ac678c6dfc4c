// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How the tools fail: bad input is exit code 2, everything else 1.
#pragma once

#include <stdexcept>
#include <string>

namespace ulysses::perf {

constexpr int kExitFailure = 1;
constexpr int kExitBadInput = 2;

// The command line asks for what cannot be; the text names the option, its value and a remedy.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A system or library call failed; the text names it.
struct RunError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void throwErrno(const std::string& what);  // "what: errno's text"

}  // namespace ulysses::perf
