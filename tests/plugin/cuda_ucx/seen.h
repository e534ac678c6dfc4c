// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What the stand-ins for UCX with CUDA and for CUDA's driver saw, for the test in the same process.
#pragma once
#include <atomic>

namespace ulysses::nccl_test {

struct Seen {
  std::atomic<int> mapped{0}, sent{0}, received{0};              // as CUDA memory
  std::atomic<int> hostMapped{0}, hostSent{0}, hostReceived{0};  // as host memory
  std::atomic<int> progressWith{0}, progressWithout{0};          // a CUDA context, since CUDA memory was mapped
};

using SeenFn = Seen* (*)();                    // ulyssesTestSeen of libucp.so.0
using SetContextFn = void (*)(void* context);  // ulyssesTestSetContext of libcuda.so.1: of this thread
using ContextFn = int (*)(void** context);     // cuCtxGetCurrent

}  // namespace ulysses::nccl_test
