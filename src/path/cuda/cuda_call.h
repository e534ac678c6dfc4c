// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How CUDA is called: by its runtime, and by the driver where the runtime has no such call.
#pragma once
#include <cuda.h>
#include <cuda_runtime_api.h>

#include "base/check.h"

namespace ulysses {

inline void check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // it would be the next launch's
  raise(result == cudaErrorMemoryAllocation ? Result::OutOfMemory : Result::SystemError, "{} failed: {} ({})", call,
        cudaGetErrorString(result), cudaGetErrorName(result));
}

/// Of the driver, which linking would keep the library from loading where there is none.
template <typename Function>
Function ofDriver(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  check(cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found),
        "cudaGetDriverEntryPointByVersion");
  if (function == nullptr)
    raise(Result::NotSupported, "this driver has no {}: it must be that of CUDA 12 or newer", name);
  return reinterpret_cast<Function>(function);
}

inline void check(CUresult result, const char* call) {
  if (result == CUDA_SUCCESS) return;
  static const auto nameOf = ofDriver<CUresult (*)(CUresult, const char**)>("cuGetErrorName");
  const char* name = nullptr;
  static_cast<void>(nameOf(result, &name));
  raise(result == CUDA_ERROR_OUT_OF_MEMORY ? Result::OutOfMemory : Result::SystemError, "{} failed: {} ({})", call,
        name != nullptr ? name : "an error without a name", static_cast<int>(result));
}

/// Makes a GPU current while it lives: what ends something may come from any thread.
class Current {
 public:
  explicit Current(int device) {
    if (cudaGetDevice(&before_) == cudaSuccess && before_ != device) changed_ = cudaSetDevice(device) == cudaSuccess;
  }
  ~Current() {
    if (changed_) static_cast<void>(cudaSetDevice(before_));
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

}  // namespace ulysses
