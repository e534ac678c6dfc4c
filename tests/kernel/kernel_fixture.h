// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel checks share: every instruction set in turn, random numbers, memory with forbidden pages around it.
#pragma once
#include "kernels/simd_targets.h"
// simd_targets.h comes before any header of Highway.
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace ulysses::kernels::test {

using Memory = std::vector<std::byte>;

/// Runs a test body once per instruction set that was compiled and that this machine has.
class EveryTarget : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    hwy::SetSupportedTargetsForTest(GetParam());
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    ASSERT_STREQ(targetName(), hwy::TargetName(GetParam()));
  }
  void TearDown() override {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }

  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  Memory randomBytes(int64_t bytes) {
    Memory memory(static_cast<size_t>(bytes));
    for (std::byte& value : memory) value = static_cast<std::byte>(random_());
    return memory;
  }

  std::mt19937_64 random_{20260101};
};

inline std::string nameOfParam(const ::testing::TestParamInfo<int64_t>& info) { return hwy::TargetName(info.param); }

/// Whole pages between two forbidden ones: one byte read or written outside ends the program.
class Fenced {
 public:
  explicit Fenced(int64_t bytes) : page_(::sysconf(_SC_PAGESIZE)), bytes_((bytes + page_ - 1) / page_ * page_) {
    void* base = ::mmap(nullptr, size(bytes_ + 2 * page_), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) throw std::bad_alloc();
    first_ = static_cast<std::byte*>(base) + page_;
    if (::mprotect(first_, size(bytes_), PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { ::munmap(first_ - page_, size(bytes_ + 2 * page_)); }
  std::byte* begin() const { return first_; }
  std::byte* end() const { return first_ + bytes_; }

 private:
  static size_t size(int64_t bytes) { return static_cast<size_t>(bytes); }
  int64_t page_, bytes_;
  std::byte* first_;
};

}  // namespace ulysses::kernels::test
