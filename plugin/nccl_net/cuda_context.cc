// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "cuda_context.h"

#include <dlfcn.h>

#include "base/log.h"

namespace ulysses::nccl {
namespace {

/// The three functions, by our own declarations: the plugin is built without CUDA. 0 is CUDA_SUCCESS.
struct Driver {
  int (*getCurrent)(void** context) = nullptr;
  int (*push)(void* context) = nullptr;
  int (*pop)(void** context) = nullptr;

  bool isThere() const noexcept { return getCurrent && push && pop; }
};

Driver load() noexcept {
  Driver driver;
  void* const handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!handle) return driver;
  driver.getCurrent = reinterpret_cast<decltype(driver.getCurrent)>(dlsym(handle, "cuCtxGetCurrent"));
  driver.push = reinterpret_cast<decltype(driver.push)>(dlsym(handle, "cuCtxPushCurrent_v2"));
  driver.pop = reinterpret_cast<decltype(driver.pop)>(dlsym(handle, "cuCtxPopCurrent_v2"));
  return driver;
}

const Driver& driver() noexcept {
  static const Driver loaded = load();
  return loaded;
}

}  // namespace

CudaContext CudaContext::ofThisThread() noexcept {
  CudaContext found;
  if (driver().isThere() && driver().getCurrent(&found.context_) != 0) found.context_ = nullptr;
  if (!found) log::info(log::Subsystem::Path, "memory of a GPU without a CUDA context: UCX has to find it itself");
  return found;
}

CudaContext::Current::Current(const CudaContext& context) noexcept
    : pushed_(context && driver().isThere() && driver().push(context.context_) == 0) {}

CudaContext::Current::~Current() {
  void* popped = nullptr;
  if (pushed_ && driver().isThere()) driver().pop(&popped);
}

}  // namespace ulysses::nccl
