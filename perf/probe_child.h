// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Looking at what might not leave this process as it was: UCX installs signal handlers and starts threads when it is
// loaded, CUDA must not be used before a fork, and a driver may hang.
#pragma once

#include <functional>
#include <string>

namespace ulysses::perf {

constexpr int kProbeMs = 10'000;     // how long a look may take
constexpr int kProbeNotFound = 127;  // exit status when `body` returns; as a shell says it

struct ProbeOutput {
  int status = 0;  // of waitpid
  bool late = false;
  std::string text;  // what it wrote to standard output
};

// Runs `body` in a process of its own, which it ends by _exit or exec.
ProbeOutput probeInChild(const std::function<void()>& body);

}  // namespace ulysses::perf
