// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which GPU a process is known to use, by a driver that the test stands in for.
#include "path/cuda/current_gpu.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace ulysses::test {
namespace {

TEST(CurrentGpu, IsAskedOnlyWhereTheProcessHasTheDriver) {
  EXPECT_EQ(currentGpuPciId(), "");
  EXPECT_EQ(std::getenv("ULYSSES_TEST_DRIVER_LOADED"), nullptr) << "it was loaded to be asked";
  void* const driver = dlopen(ULYSSES_FAKE_DRIVER, RTLD_NOW);
  ASSERT_NE(driver, nullptr) << dlerror();
  const auto setCurrent = reinterpret_cast<void (*)(int)>(dlsym(driver, "setCurrent"));
  ASSERT_NE(setCurrent, nullptr);
  EXPECT_NE(std::getenv("ULYSSES_TEST_DRIVER_LOADED"), nullptr);
  EXPECT_EQ(currentGpuPciId(), "") << "no context, so no GPU yet";
  setCurrent(0);
  EXPECT_EQ(currentGpuPciId(), "0000:3a:00.0");
  setCurrent(1);
  EXPECT_EQ(currentGpuPciId(), "0000:3b:00.0");
}

}  // namespace
}  // namespace ulysses::test
