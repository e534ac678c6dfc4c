// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/cuda_runtime.h"

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstring>

#include "base/check.h"
#include "kernels/device/launch.h"

namespace ulysses {
namespace {

static_assert(sizeof(cudaIpcMemHandle_t) == sizeof(DeviceRuntime::Handle));

void check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // it would be the next launch's
  raise(result == cudaErrorMemoryAllocation ? Result::OutOfMemory : Result::SystemError, "{} failed: {} ({})", call,
        cudaGetErrorString(result), cudaGetErrorName(result));
}

void check(const device::CudaError& error) {
  if (!error.empty()) raise(Result::SystemError, "{}", error);
}

/// The runtime has no such call, and linking the driver would keep the library from loading where there is none.
auto addressRange() {
  using Function = CUresult (*)(CUdeviceptr*, size_t*, CUdeviceptr);
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  check(cudaGetDriverEntryPointByVersion("cuMemGetAddressRange", &function, 12000, cudaEnableDefault, &found),
        "cudaGetDriverEntryPointByVersion");
  return reinterpret_cast<Function>(function);
}

}  // namespace

CudaRuntime::CudaRuntime() {
  int devices = 0;
  const cudaError_t result = cudaGetDeviceCount(&devices);
  if (result != cudaSuccess || devices == 0)
    ulysses::raise(Result::NotSupported, "no GPU can be used: {}; look at nvidia-smi and CUDA_VISIBLE_DEVICES",
                   result == cudaSuccess ? "the driver shows none" : cudaGetErrorString(result));
  check(cudaGetDevice(&device_), "cudaGetDevice");
  check(device::loadExchange(&residentBlocks_));
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  aside_.reset(stream);
}

void CudaRuntime::DestroyStream::operator()(CUstream_st* stream) const { static_cast<void>(cudaStreamDestroy(stream)); }

DeviceRuntime::Memory CudaRuntime::memoryOf(const void* pointer) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, pointer), "cudaPointerGetAttributes");
  if (attributes.type != cudaMemoryTypeDevice || attributes.device != device_) return {};
  static const auto range = addressRange();
  CUdeviceptr base = 0;
  size_t bytes = 0;
  const CUresult result = range(&base, &bytes, reinterpret_cast<CUdeviceptr>(pointer));
  if (result != CUDA_SUCCESS)
    ulysses::raise(Result::SystemError, "cuMemGetAddressRange failed: error {}", static_cast<int>(result));
  return {true, reinterpret_cast<std::byte*>(base), static_cast<int64_t>(bytes)};
}

std::byte* CudaRuntime::allocate(int64_t bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, static_cast<size_t>(bytes)), "cudaMalloc");
  check(cudaMemset(memory, 0, static_cast<size_t>(bytes)), "cudaMemset");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  return static_cast<std::byte*>(memory);
}

std::byte* CudaRuntime::allocateShared(int64_t bytes) {
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocMapped), "cudaHostAlloc");
  std::memset(memory, 0, static_cast<size_t>(bytes));
  return static_cast<std::byte*>(memory);
}

void CudaRuntime::free(std::byte* memory) noexcept {
  cudaPointerAttributes attributes{};
  static_cast<void>(cudaPointerGetAttributes(&attributes, memory));
  static_cast<void>(attributes.type == cudaMemoryTypeHost ? cudaFreeHost(memory) : cudaFree(memory));
}

void CudaRuntime::write(std::byte* to, const void* from, int64_t bytes) {
  check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice), "cudaMemcpy");
}

DeviceRuntime::Handle CudaRuntime::exportMemory(std::byte* base) {
  cudaIpcMemHandle_t handle;
  check(cudaIpcGetMemHandle(&handle, base), "cudaIpcGetMemHandle");
  Handle out;
  std::memcpy(out.data(), &handle, sizeof(handle));
  return out;
}

std::byte* CudaRuntime::openMemory(const Handle& handle) {
  cudaIpcMemHandle_t in;
  std::memcpy(&in, handle.data(), sizeof(in));
  void* memory = nullptr;
  check(cudaIpcOpenMemHandle(&memory, in, cudaIpcMemLazyEnablePeerAccess), "cudaIpcOpenMemHandle");
  return static_cast<std::byte*>(memory);
}

void CudaRuntime::closeMemory(std::byte* memory) noexcept { static_cast<void>(cudaIpcCloseMemHandle(memory)); }

void CudaRuntime::reach(std::byte* memory) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, memory), "cudaPointerGetAttributes");
  if (attributes.device == device_) return;
  int can = 0;
  check(cudaDeviceCanAccessPeer(&can, device_, attributes.device), "cudaDeviceCanAccessPeer");
  if (can == 0)
    ulysses::raise(Result::NotSupported, "GPU {} cannot reach the memory of GPU {} (see nvidia-smi topo -p2p w)",
                   device_, attributes.device);
  const cudaError_t result = cudaDeviceEnablePeerAccess(attributes.device, 0);
  if (result != cudaErrorPeerAccessAlreadyEnabled) return check(result, "cudaDeviceEnablePeerAccess");
  static_cast<void>(cudaGetLastError());
}

std::array<std::byte, 16> CudaRuntime::deviceId() {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device_), "cudaGetDeviceProperties");
  std::array<std::byte, 16> id;
  static_assert(sizeof(properties.uuid) == sizeof(id));
  std::memcpy(id.data(), &properties.uuid, sizeof(id));
  return id;
}

void CudaRuntime::finish() noexcept { static_cast<void>(cudaDeviceSynchronize()); }

void CudaRuntime::raise(uint32_t* word) noexcept {
  static_cast<void>(cudaMemsetAsync(word, 1, sizeof(*word), aside_.get()));
}

std::unique_ptr<DeviceRuntime> makeDeviceRuntime() { return std::make_unique<CudaRuntime>(); }

bool isDeviceMemory(const void* pointer) noexcept {
  // A process that did not load the driver has no such memory, and must stay free to fork and then use CUDA.
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (driver == nullptr) return false;
  dlclose(driver);
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, pointer) == cudaSuccess) return attributes.type == cudaMemoryTypeDevice;
  static_cast<void>(cudaGetLastError());
  return false;
}

void CudaRuntime::launch(const device::Arguments& call, int blocks, void* stream) {
  check(device::launchExchange(call, blocks, stream));
}

}  // namespace ulysses
