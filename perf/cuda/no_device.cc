// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of cuda_device.cc, where the tool is built without CUDA.
#include <fmt/format.h>

#include "device.h"
#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {

std::unique_ptr<Device> openDevice(int) {
  throw RunError(
      fmt::format("--memory cuda: {}: this ulysses_perf was built without CUDA; build it where nvcc is, with "
                  "-Dcuda=enabled, or use --memory registered",
                  ulyssesGetErrorString(ulyssesNotSupported)));
}

}  // namespace ulysses::perf
