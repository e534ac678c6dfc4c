// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/memory_limit.h"

#include <fstream>
#include <limits>
#include <sstream>

#include "base/format.h"

namespace ulysses {
namespace {

constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

/// A number in a one-line file; kUnlimited for "max" or when there is none.
size_t readNumber(const std::string& path) {
  std::ifstream file(path);
  size_t number = 0;
  return file >> number ? number : kUnlimited;
}

/// The number after `key` in a file of "key number" lines, or 0.
size_t readField(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    size_t number = 0;
    if (words >> name >> number && name == key) return number;
  }
  return 0;
}

struct Files {
  const char* limit;
  const char* usage;
  const char* inactive;  // in memory.stat
};
constexpr Files kV2{"memory.max", "memory.current", "inactive_file"};
constexpr Files kV1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

void tighten(MemoryLimit& tightest, const std::string& folder, const Files& files) {
  const size_t limit = readNumber(folder + files.limit);
  const size_t usage = readNumber(folder + files.usage);
  if (limit == kUnlimited || usage == kUnlimited) return;
  const size_t reclaimable = readField(folder + "memory.stat", files.inactive);
  const size_t used = usage > reclaimable ? usage - reclaimable : 0;
  const size_t available = limit > used ? limit - used : 0;
  if (available < tightest.availableBytes) tightest = {available, folder + files.limit};
}

/// From the process's own group up to the root: any ancestor's limit holds too.
void tightenUpwards(MemoryLimit& tightest, const std::string& mount, std::string group, const Files& files) {
  for (;;) {
    tighten(tightest, mount + group + (group.ends_with('/') ? "" : "/"), files);
    const size_t slash = group.find_last_of('/');
    if (slash == std::string::npos || group.size() <= 1) return;
    group.resize(slash == 0 ? 1 : slash);
  }
}

}  // namespace

MemoryLimit tightestMemoryLimit(const std::string& root) {
  MemoryLimit tightest{readField(root + "/proc/meminfo", "MemAvailable:") * 1024, "MemAvailable of this machine"};
  if (tightest.availableBytes == 0) tightest.availableBytes = kUnlimited;  // no /proc here: nothing known
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty())
      tightenUpwards(tightest, root + "/sys/fs/cgroup", group, kV2);
    else if (controllers.find("memory") != std::string::npos)
      tightenUpwards(tightest, root + "/sys/fs/cgroup/memory", group, kV1);
  }
  return tightest;
}

}  // namespace ulysses
