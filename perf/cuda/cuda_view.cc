// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "cuda/uuid.h"
#include "cuda_probe.h"
#include "error.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

void check(cudaError_t result, const char* call) {
  if (result != cudaSuccess) throw RunError(fmt::format("{} failed: {}", call, cudaGetErrorString(result)));
}

// 12040 is 12.4; 0: there is none.
ordered_json versionJson(int version) {
  if (version == 0) return nullptr;
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

bool reaches(int device, int peer) {
  int can = device == peer ? 1 : 0;
  if (device != peer) check(cudaDeviceCanAccessPeer(&can, device, peer), "cudaDeviceCanAccessPeer");
  return can != 0;
}

ordered_json gpuJson(int device, int count) {
  cudaDeviceProp gpu;
  check(cudaGetDeviceProperties(&gpu, device), "cudaGetDeviceProperties");
  ordered_json access = ordered_json::array();
  for (int peer = 0; peer < count; ++peer) access.push_back(reaches(device, peer));
  return {{"ordinal", device},
          {"name", gpu.name},
          {"uuid", uuidText(gpu.uuid)},
          {"pci", fmt::format("{:04x}:{:02x}:{:02x}.0", gpu.pciDomainID, gpu.pciBusID, gpu.pciDeviceID)},
          {"memory_bytes", gpu.totalGlobalMem},
          {"compute_capability", fmt::format("{}.{}", gpu.major, gpu.minor)},
          {"multiprocessors", gpu.multiProcessorCount},
          {"peer_access", access}};
}

}  // namespace

ordered_json cudaView() {
  int driver = 0, runtime = 0, count = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  const cudaError_t result = cudaGetDeviceCount(&count);
  ordered_json view = {{"built", true},
                       {"driver", versionJson(driver)},
                       {"runtime", versionJson(runtime)},
                       {"gpus", ordered_json::array()},
                       {"problem", nullptr}};
  if (driver == 0)
    view["problem"] = fmt::format("no driver: {}", cudaGetErrorString(result));
  else if (result != cudaSuccess || count == 0)
    view["problem"] = fmt::format("no GPU: {}; look at nvidia-smi and CUDA_VISIBLE_DEVICES",
                                  result == cudaSuccess ? "the driver shows none" : cudaGetErrorString(result));
  for (int device = 0; result == cudaSuccess && device < count; ++device)
    view["gpus"].push_back(gpuJson(device, count));
  return view;
}

}  // namespace ulysses::perf
