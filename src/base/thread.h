// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"

namespace ulysses {

/// A thread of the library; throws Error saying what for when the system makes none.
template <typename Body>
std::thread startThread(const char* purpose, Body&& body) {
  try {
    return std::thread(std::forward<Body>(body));
  } catch (const std::system_error& error) {
    raise(Result::SystemError,
          "no thread could be made for {}: {} (errno {}); raise the limit of threads (ulimit -u, RLIMIT_NPROC; of a "
          "container: pids.max)",
          purpose, std::strerror(error.code().value()), error.code().value());
  }
}

}  // namespace ulysses
