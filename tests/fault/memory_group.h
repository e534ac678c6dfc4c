// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace ulysses::test {

/// A child of this process's own memory group, v2 or v1, limited to 64 MiB where that may be done.
class MemoryGroup {
 public:
  static constexpr std::size_t kLimit = std::size_t{64} << 20;

  MemoryGroup() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line) && !made_;) {
      const std::size_t first = line.find(':'), second = line.find(':', first + 1);
      const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
      const bool isV2 = controllers.empty();
      if (!isV2 && controllers.find("memory") == std::string::npos) continue;
      folder_ =
          (isV2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory") + path + "/ulysses-test-" + std::to_string(getpid());
      made_ = mkdir(folder_.c_str(), 0755) == 0;
      limited_ = made_ && put(isV2 ? "memory.max" : "memory.limit_in_bytes", std::to_string(kLimit));
      if (limited_) put(isV2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", isV2 ? "0" : std::to_string(kLimit));
      if (made_ && !limited_) remove();
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup() { remove(); }

  bool usable() const { return limited_; }
  /// Moves a process in.
  bool take(pid_t pid) const { return put("cgroup.procs", std::to_string(pid)); }

 private:
  bool put(const std::string& file, const std::string& value) const {
    std::ofstream out(folder_ + "/" + file);
    return out && out << value << std::flush;
  }
  void remove() {
    for (int i = 0; made_ && i < 100 && rmdir(folder_.c_str()) != 0; ++i) usleep(10'000);
    made_ = false;
  }

  std::string folder_;
  bool made_ = false, limited_ = false;
};

}  // namespace ulysses::test
