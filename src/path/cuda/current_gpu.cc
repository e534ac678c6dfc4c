// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/current_gpu.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>

namespace ulysses {
namespace {

// The driver's interface, by our own declarations: its headers are not there in builds without CUDA.
constexpr const char* kDriver = "libcuda.so.1";
using CurrentContext = int (*)(void** context);
using CurrentDevice = int (*)(int* device);
using DeviceBusId = int (*)(char* text, int length, int device);

struct Close {
  void operator()(void* library) const { dlclose(library); }
};

template <typename Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

std::string currentGpuPciId() noexcept {
  const std::unique_ptr<void, Close> driver(dlopen(kDriver, RTLD_LAZY | RTLD_NOLOAD));
  if (!driver) return "";
  const auto context = find<CurrentContext>(driver.get(), "cuCtxGetCurrent");
  const auto device = find<CurrentDevice>(driver.get(), "cuCtxGetDevice");
  const auto busId = find<DeviceBusId>(driver.get(), "cuDeviceGetPCIBusId");
  void* current = nullptr;
  int ordinal = -1;
  std::array<char, 13> text{};  // and its end
  if (!context || !device || !busId || context(&current) != 0 || !current || device(&ordinal) != 0) return "";
  if (busId(text.data(), static_cast<int>(text.size()), ordinal) != 0) return "";
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.data();
}

}  // namespace ulysses
