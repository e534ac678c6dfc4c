// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/census.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ulysses::test {

namespace {

constexpr const char* kFolders[] = {"/dev/shm", "/tmp"};

bool isOwn[2] = {false, false};

std::int64_t countEntries(const char* folder) {
  std::int64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += !entry.path().empty();
  return count;
}

void countMappings(Census* census) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line); ++census->mappings) census->files += line.find('/') < line.size();
}

/// A tmpfs over the folder this program runs from would hide it from debuggers and sanitizers.
bool holdsThisProgram(const std::string& folder) {
  return std::filesystem::read_symlink("/proc/self/exe").string().starts_with(folder + "/");
}

}  // namespace

Census takeCensus() {
  Census census = {.fds = countEntries("/proc/self/fd"), .threads = countEntries("/proc/self/task")};
  countMappings(&census);
  return census;
}

std::string changeSince(const Census& before) {
  Census now = takeCensus();
  for (int i = 0; i < 200 && (now.fds != before.fds || now.threads != before.threads); ++i) {
    usleep(5000);
    now = takeCensus();
  }
  std::string change;
  if (now.fds != before.fds) change += "fds " + std::to_string(before.fds) + " -> " + std::to_string(now.fds) + " ";
  if (now.threads != before.threads)
    change += "threads " + std::to_string(before.threads) + " -> " + std::to_string(now.threads);
  return change;
}

std::set<std::string> temporaryEntries() {
  std::set<std::string> entries;
  for (int i = 0; i < 2; ++i) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(kFolders[i], ignored)) {
      const std::string name = entry.path().filename().string();
      if (isOwn[i] || name.find("ulysses") != std::string::npos) entries.insert(entry.path().string());
    }
  }
  return entries;
}

void ownTemporaryFolders() {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
  for (int i = 0; i < 2; ++i)
    isOwn[i] = !holdsThisProgram(kFolders[i]) && mount("tmpfs", kFolders[i], "tmpfs", 0, "mode=1777") == 0;
}

}  // namespace ulysses::test
