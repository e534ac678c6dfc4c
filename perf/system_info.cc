// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "system_info.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

namespace ulysses::perf {

std::string firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<int64_t> leadingNumber(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

namespace {

// The text after "key:" of a /proc file.
std::string procField(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t begin = line.find_first_not_of(" \t:", key.size());
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

// Of one memory cgroup; nullopt without a limit. Limits beyond any memory mean none.
std::optional<CgroupMemory> memoryOf(const std::string& folder, const char* limitFile, const char* usageFile) {
  constexpr int64_t kNoLimit = int64_t{1} << 60;
  const auto limit = leadingNumber(firstLine(folder + "/" + limitFile));
  const auto usage = leadingNumber(firstLine(folder + "/" + usageFile));
  if (!limit || !usage || *limit >= kNoLimit) return std::nullopt;
  return CgroupMemory{*limit, std::max<int64_t>(0, *limit - *usage)};
}

}  // namespace

std::string hostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string cpuModel() {
  const std::string model = procField("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown" : model;
}

namespace {

std::vector<int> coresNow() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &allowed)) cores.push_back(core);
    }
  }
  return cores;
}

}  // namespace

// Before it is bound to one of them.
std::vector<int> allowedCores() {
  static const std::vector<int> cores = coresNow();
  return cores;
}

int pinToCore(int rank) {
  const std::vector<int> cores = allowedCores();
  if (cores.empty()) return -1;
  const int core = cores[static_cast<size_t>(rank) % cores.size()];
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  return sched_setaffinity(0, sizeof one, &one) == 0 ? core : -1;  // measured unpinned where that is forbidden
}

// The process's own cgroup and those around it; a container sees its own as the root.
CgroupMemory cgroupMemory() {
  CgroupMemory least{-1, -1};
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool isUnified = line.starts_with("0::");
    const size_t memory = line.find(":memory:");
    if (!isUnified && memory == std::string::npos) continue;
    std::string path = isUnified ? line.substr(3) : line.substr(memory + 8);
    const std::string mount = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (;;) {
      const auto found = isUnified ? memoryOf(mount + path, "memory.max", "memory.current")
                                   : memoryOf(mount + path, "memory.limit_in_bytes", "memory.usage_in_bytes");
      if (found && (least.limitBytes < 0 || found->leftBytes < least.leftBytes)) least = *found;
      if (path.empty() || path == "/") break;
      path.erase(path.rfind('/'));
    }
  }
  return least;
}

int64_t availableMemoryBytes() { return leadingNumber(procField("/proc/meminfo", "MemAvailable")).value_or(0) * 1024; }

std::optional<int64_t> linkMbit(const std::string& device) {
  if (device.find('/') != std::string::npos) return std::nullopt;
  // Interfaces without a speed, virtual ones, say -1 or nothing.
  const auto mbit = leadingNumber(firstLine(fmt::format("/sys/class/net/{}/speed", device)));
  if (mbit && *mbit > 0) return mbit;
  const auto gbit = leadingNumber(firstLine(fmt::format("/sys/class/infiniband/{}/ports/1/rate", device)));
  return gbit && *gbit > 0 ? std::optional<int64_t>(*gbit * 1000) : std::nullopt;
}

int64_t usableMemoryBytes() {
  const int64_t left = cgroupMemory().leftBytes;
  return left < 0 ? availableMemoryBytes() : std::min(availableMemoryBytes(), left);
}

int64_t proportionalBytes() { return leadingNumber(procField("/proc/self/smaps_rollup", "Pss:")).value_or(0) * 1024; }

std::string formatBytes(int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.4g} {}", value, kUnits[unit]);
}

}  // namespace ulysses::perf
