// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows D1 and D2 of the fault matrix, for real: a process in a memory cgroup of 64 MiB asks for more than there is.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "ulysses_coll.h"

namespace ulysses::test {

namespace {

constexpr std::size_t kMiB = 1 << 20, kLimit = 64 * kMiB;

/// A child of this process's own memory group, v2 or v1.
class MemoryGroup {
 public:
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

/// Exit code 0, or the number of what was wrong, with the text on standard error.
int fail(int code) {
  std::fprintf(stderr, "  in the memory group: step %d: %s\n", code, ulyssesGetLastError(nullptr));
  return code;
}

int allocateInGroup() {
  void* memory = nullptr;
  if (ulyssesMemAlloc(&memory, 256 * kMiB) != ulyssesOutOfMemory || memory != nullptr) return fail(1);
  const std::string text = ulyssesGetLastError(nullptr);
  if (text.find("268435456 bytes") == std::string::npos || text.find(" available under ") == std::string::npos ||
      text.find("memory.") == std::string::npos)
    return fail(2);
  std::size_t available = 0;
  std::istringstream(text.substr(text.find("needed, ") + 8)) >> available;
  if (available == 0 || available > kLimit) return fail(3);
  if (ulyssesMemAlloc(&memory, 16 * kMiB) != ulyssesSuccess) return fail(4);
  std::memset(memory, 1, 16 * kMiB);
  if (ulyssesMemFree(memory) != ulyssesSuccess) return fail(5);
  return 0;
}

/// Just below, at and above what is said to be available: memory or an error, never a signal.
int allocateAtTheEdge() {
  void* memory = nullptr;
  for (std::size_t bytes = 56 * kMiB; bytes <= kLimit; bytes += kMiB / 4) {
    const ulyssesResult_t result = ulyssesMemAlloc(&memory, bytes);
    if (result != ulyssesSuccess && result != ulyssesOutOfMemory) return fail(6);
    if (result != ulyssesSuccess) continue;
    std::memset(memory, 1, bytes);
    if (ulyssesMemFree(memory) != ulyssesSuccess) return fail(7);
  }
  return 0;
}

void expectInGroup(int (*body)()) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "thread sanitizer's own memory, several times that of the program, goes over the group's limit";
#endif
  const MemoryGroup group;
  if (!group.usable()) GTEST_SKIP() << "this process may not make a memory cgroup below its own";
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    char byte = 0;
    close(ready[1]);
    _exit(read(ready[0], &byte, 1) == 1 ? body() : 99);
  }
  const bool taken = group.take(pid);
  const bool told = taken && write(ready[1], "g", 1) == 1;
  close(ready[0]);
  close(ready[1]);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(told) << "the process could not be moved into the group";
  ASSERT_FALSE(WIFSIGNALED(status)) << "ended by signal " << WTERMSIG(status) << ": " << strsignal(WTERMSIG(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(MemoryGroup, RunningOutIsAnError) { expectInGroup(allocateInGroup); }

TEST(MemoryGroup, AlmostRunningOutIsNoSignal) { expectInGroup(allocateAtTheEdge); }

}  // namespace

}  // namespace ulysses::test
