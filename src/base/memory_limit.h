// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>

namespace ulysses {

/// How much more memory this process may take, and what says so.
struct MemoryLimit {
  size_t availableBytes;
  std::string name;  // "memory.max of cgroup /x", "MemAvailable of this machine"
};

/// The tightest of the machine's available memory and the limits of the process's memory cgroup (v2 or v1) and its
/// ancestors; reclaimable file pages count as available. `root` stands before every path, for tests.
MemoryLimit tightestMemoryLimit(const std::string& root = "");

}  // namespace ulysses
