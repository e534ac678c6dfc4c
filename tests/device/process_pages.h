// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "cpu_runtime.h"

namespace ulysses::test {

/// GPU memory of ranks that are processes: pages that all have mapped at one address, as they are forked later.
class ProcessPages {
 public:
  explicit ProcessPages(int nRanks)
      : bytes_(static_cast<std::size_t>(nRanks) * kOfRank),
        pages_(static_cast<std::byte*>(
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    EXPECT_NE(static_cast<void*>(pages_), MAP_FAILED);
  }
  ~ProcessPages() { munmap(pages_, bytes_); }
  ProcessPages(const ProcessPages&) = delete;
  ProcessPages& operator=(const ProcessPages&) = delete;

  /// In the rank's process.
  void give(int rank) const { CpuRuntime::allocateFrom({pages_ + static_cast<std::size_t>(rank) * kOfRank, kOfRank}); }

 private:
  static constexpr std::size_t kOfRank = std::size_t{16} << 20;

  std::size_t bytes_;
  std::byte* pages_;
};

}  // namespace ulysses::test
