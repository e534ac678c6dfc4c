// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "nccl_library.h"

#include <dlfcn.h>

namespace ulysses::nccl_check {

Nccl Nccl::load() {
  void* const handle = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw NoNccl(dlerror());
  Nccl nccl;
#define ULYSSES_NCCL_LOOK_UP(name, ...)                                    \
  nccl.name = reinterpret_cast<decltype(nccl.name)>(dlsym(handle, #name)); \
  if (!nccl.name) throw NoNccl("libnccl.so.2 has no " #name ": it is too old");
  ULYSSES_NCCL_FUNCTIONS(ULYSSES_NCCL_LOOK_UP)
#undef ULYSSES_NCCL_LOOK_UP
  return nccl;
}

std::string Nccl::version() const {
  int code = 0;
  require(ncclGetVersion(&code), "ncclGetVersion");
  return std::to_string(code / 10000) + "." + std::to_string(code / 100 % 100) + "." + std::to_string(code % 100);
}

void Nccl::require(int result, const char* call, Comm comm) const {
  if (result == kSuccess) return;
  throw std::runtime_error(std::string(call) + ": " + ncclGetErrorString(result) + " (" + std::to_string(result) +
                           "), " + ncclGetLastError(comm));
}

}  // namespace ulysses::nccl_check
