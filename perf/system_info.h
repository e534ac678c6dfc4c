// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a result's reader must know of the machine, and the limits that a run can hit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ulysses::perf {

std::string hostName();
std::string cpuModel();
std::vector<int> allowedCores();  // that this process could run on when it first asked, ascending
int pinToCore(int rank);          // rank r to the (r mod n)-th of them, which is returned; -1: it cannot

// The tightest memory cgroup around this process; -1: no limit.
struct CgroupMemory {
  int64_t limitBytes, leftBytes;
};
CgroupMemory cgroupMemory();

int64_t availableMemoryBytes();  // MemAvailable

// Of a network interface, or of the first port of an InfiniBand device; nullopt: the kernel does not tell.
std::optional<int64_t> linkMbit(const std::string& device);

// The least of what is available and what the cgroup leaves.
int64_t usableMemoryBytes();

// Memory of this process, pages that others map too counted in parts: summed over all of them, what they really hold.
int64_t proportionalBytes();

std::string formatBytes(int64_t bytes);  // "1.5 GiB"

std::string firstLine(const std::string& path);  // of a file of /proc or /sys; "" when there is none
std::optional<int64_t> leadingNumber(const std::string& text);

}  // namespace ulysses::perf
