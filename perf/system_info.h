// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a result's reader must know of the machine, and the limits that a run can hit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ulysses::perf {

std::string hostName();
std::string cpuModel();
std::vector<int> allowedCores();  // that this process could run on when it first asked, ascending
int pinToCore(int rank);          // rank r to the (r mod n)-th of them, which is returned; -1: it cannot

struct Cache {
  std::string name;  // "L1d", "L2", "L3"
  int64_t bytes;
  std::string sharedBy;  // cores, as the kernel writes lists
};
std::vector<Cache> caches();  // of core 0

struct MemoryLimits {
  int64_t availableBytes;  // MemAvailable
  int64_t cgroupBytes;     // what this process's memory cgroup leaves; -1: no limit
  int64_t devShmBytes;     // free in /dev/shm (the library's memfds do not count against it); -1: none
  int64_t lockedBytes;     // RLIMIT_MEMLOCK; -1: unlimited
  int64_t openFiles;       // RLIMIT_NOFILE
};
MemoryLimits memoryLimits();

// The least of what is available and what the cgroup leaves.
int64_t usableMemoryBytes();

// Memory of this process, pages that others map too counted in parts: summed over all of them, what they really hold.
int64_t proportionalBytes();

std::string formatBytes(int64_t bytes);  // "1.5 GiB"

}  // namespace ulysses::perf
