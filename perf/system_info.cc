// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "system_info.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>

namespace ulysses::perf {
namespace {

std::string firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

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

std::optional<int64_t> leadingNumber(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

// What one memory cgroup leaves; nullopt without a limit. Limits beyond any memory mean none.
std::optional<int64_t> leftIn(const std::string& folder, const char* limitFile, const char* usageFile) {
  constexpr int64_t kNoLimit = int64_t{1} << 60;
  const auto limit = leadingNumber(firstLine(folder + "/" + limitFile));
  const auto usage = leadingNumber(firstLine(folder + "/" + usageFile));
  if (!limit || !usage || *limit >= kNoLimit) return std::nullopt;
  return std::max<int64_t>(0, *limit - *usage);
}

// The process's own cgroup and those around it; a container sees its own as the root.
int64_t cgroupLeft() {
  int64_t least = -1;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool isUnified = line.starts_with("0::");
    const size_t memory = line.find(":memory:");
    if (!isUnified && memory == std::string::npos) continue;
    std::string path = isUnified ? line.substr(3) : line.substr(memory + 8);
    const std::string mount = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (;;) {
      const auto left = isUnified ? leftIn(mount + path, "memory.max", "memory.current")
                                  : leftIn(mount + path, "memory.limit_in_bytes", "memory.usage_in_bytes");
      if (left && (least < 0 || *left < least)) least = *left;
      if (path.empty() || path == "/") break;
      path.erase(path.rfind('/'));
    }
  }
  return least;
}

int64_t limitOf(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return static_cast<int64_t>(limit.rlim_cur);
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

std::vector<Cache> caches() {
  std::vector<Cache> found;
  for (int index = 0; index < 8; ++index) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", index);
    const auto kib = leadingNumber(firstLine(folder + "size"));
    const std::string type = firstLine(folder + "type");
    if (!kib || type == "Instruction") continue;
    const std::string name = fmt::format("L{}{}", firstLine(folder + "level"), type == "Data" ? "d" : "");
    found.push_back({name, *kib * 1024, firstLine(folder + "shared_cpu_list")});
  }
  return found;
}

MemoryLimits memoryLimits() {
  MemoryLimits limits{};
  limits.availableBytes = leadingNumber(procField("/proc/meminfo", "MemAvailable")).value_or(0) * 1024;
  limits.cgroupBytes = cgroupLeft();
  struct statvfs shm {};
  limits.devShmBytes = -1;
  if (statvfs("/dev/shm", &shm) == 0) limits.devShmBytes = static_cast<int64_t>(shm.f_bavail * shm.f_frsize);
  limits.lockedBytes = limitOf(RLIMIT_MEMLOCK);
  limits.openFiles = limitOf(RLIMIT_NOFILE);
  return limits;
}

int64_t usableMemoryBytes() {
  const MemoryLimits limits = memoryLimits();
  return limits.cgroupBytes < 0 ? limits.availableBytes : std::min(limits.availableBytes, limits.cgroupBytes);
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
