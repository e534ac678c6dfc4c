// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include "kernels/device/exchange.h"
#include "kernels/device/gpu_machine.cuh"
#include "kernels/device/handover.h"
#include "kernels/device/launch.h"
#include "kernels/device/shard_copy.h"

namespace ulysses::device {
namespace {

constexpr int kWarp = 32;

// Blocks of a multiprocessor: as many as the registers allow without spilling (tests/device/resources.py holds them to
// it). With 4 vectors a thread in flight, 512 threads a multiprocessor cover the memory's latency.
__global__ void __launch_bounds__(kThreads, 3) pushKernel(const __grid_constant__ Arguments call) {
  GpuMachine machine;
  exchange<false>(call, machine);
}

__global__ void __launch_bounds__(kThreads, 2) pushAndSumKernel(const __grid_constant__ Arguments call) {
  GpuMachine machine;
  exchange<true>(call, machine);
}

__global__ void __launch_bounds__(kThreads, 3) copyKernel(const __grid_constant__ ShardCopies copies) {
  copyShards(copies, GpuMachine());
}

__global__ void __launch_bounds__(kWarp) handOverKernel(const __grid_constant__ HandoverCall call) {
  GpuMachine machine;
  handOver(call, machine);
}

CudaError errorOf(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return {};
  return std::string(what) + ": " + cudaGetErrorString(result) + " (" + cudaGetErrorName(result) + ")";
}

/// Looking at a kernel's attributes loads it.
template <typename AnyKernel>
cudaError_t load(AnyKernel kernel, int* blocks) {
  cudaFuncAttributes attributes;
  const cudaError_t result = cudaFuncGetAttributes(&attributes, kernel);
  return result != cudaSuccess ? result : cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, kernel, kThreads, 0);
}

}  // namespace

CudaError loadExchange(ResidentBlocks* resident) {
  int device = 0, processors = 0, ignored = 0;
  cudaError_t result = cudaGetDevice(&device);
  if (result == cudaSuccess) result = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  if (result == cudaSuccess) result = load(pushKernel, &resident->ofPush);
  if (result == cudaSuccess) result = load(pushAndSumKernel, &resident->ofSum);
  if (result == cudaSuccess) result = load(copyKernel, &ignored);
  if (result == cudaSuccess) result = load(handOverKernel, &ignored);
  resident->ofPush *= processors;
  resident->ofSum *= processors;
  return errorOf("the exchange kernels cannot be loaded", result);
}

CudaError launchExchange(const Arguments& call, int blocks, void* stream) {
  const auto kernel = call.sums ? pushAndSumKernel : pushKernel;
  kernel<<<static_cast<unsigned>(blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(call);
  return errorOf("the exchange kernel cannot be launched", cudaGetLastError());
}

CudaError launchCopies(const ShardCopies& copies, int blocks, void* stream) {
  copyKernel<<<static_cast<unsigned>(blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(copies);
  return errorOf("the copy kernel cannot be launched", cudaGetLastError());
}

CudaError launchHandover(const HandoverCall& call, void* stream) {
  handOverKernel<<<1, kWarp, 0, static_cast<cudaStream_t>(stream)>>>(call);
  return errorOf("the kernel that hands a call to the host cannot be launched", cudaGetLastError());
}

}  // namespace ulysses::device
