// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows D1 and D2 of the fault matrix, for real: a process in a memory cgroup of 64 MiB asks for more than there is.
#include "fault/memory_group.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "ulysses_coll.h"

namespace ulysses::test {

namespace {

constexpr std::size_t kMiB = 1 << 20, kLimit = MemoryGroup::kLimit;

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
