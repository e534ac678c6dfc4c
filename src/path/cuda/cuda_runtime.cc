// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/cuda_runtime.h"

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstring>

#include "base/log.h"
#include "kernels/device/launch.h"
#include "path/cuda/cuda_call.h"

namespace ulysses {
namespace {

static_assert(sizeof(cudaIpcMemHandle_t) == sizeof(DeviceRuntime::Handle));

void checkLaunch(const device::CudaError& error) {
  if (!error.empty()) raise(Result::SystemError, "{}", error);
}

MemoryKind kindOf(cudaMemoryType type) {
  switch (type) {
    case cudaMemoryTypeDevice:
      return MemoryKind::Device;
    case cudaMemoryTypeManaged:
      return MemoryKind::Managed;
    case cudaMemoryTypeHost:
      return MemoryKind::Host;
    default:
      return MemoryKind::Unknown;
  }
}

void requireGpu() {
  int devices = 0;
  const cudaError_t result = cudaGetDeviceCount(&devices);
  if (result != cudaSuccess || devices == 0)
    raise(Result::NotSupported, "no GPU can be used: {}; look at nvidia-smi and CUDA_VISIBLE_DEVICES",
          result == cudaSuccess ? "the driver shows none" : cudaGetErrorString(result));
}

/// By a stream of our own: what synchronises the device, or the default stream, may wait for exchanges of other ranks
/// of this process, which wait for this one.
void clear(void* memory, size_t bytes, cudaStream_t stream) {
  check(cudaMemsetAsync(memory, 0, bytes, stream), "cudaMemsetAsync");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

}  // namespace

CudaRuntime::CudaRuntime() {
  requireGpu();
  check(cudaGetDevice(&device_), "cudaGetDevice");
  checkLaunch(device::loadExchange(&resident_));
  int lowest = 0, greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&lowest, &greatest), "cudaDeviceGetStreamPriorityRange");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest), "cudaStreamCreate");
  aside_.reset(stream);
  void* word = nullptr;
  check(cudaHostAlloc(&word, sizeof(uint32_t), cudaHostAllocDefault), "cudaHostAlloc");
  one_.reset(static_cast<uint32_t*>(word));
  *one_ = 1;
}

void CudaRuntime::FreeHost::operator()(uint32_t* word) const { static_cast<void>(cudaFreeHost(word)); }

void CudaRuntime::DestroyStream::operator()(CUstream_st* stream) const { static_cast<void>(cudaStreamDestroy(stream)); }

int CudaRuntime::currentDevice() const {
  int device = -1;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

uint64_t CudaRuntime::context() {
  static const auto idOf = ofDriver<CUresult (*)(CUcontext, unsigned long long*)>("cuCtxGetId");
  unsigned long long id = 0;
  check(idOf(nullptr, &id), "cuCtxGetId");
  return id;
}

DeviceRuntime::Memory CudaRuntime::memoryOf(const void* pointer) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, pointer), "cudaPointerGetAttributes");
  const MemoryKind kind = kindOf(attributes.type);
  return {kind, attributes.device, kind == MemoryKind::Device && attributes.device == device_};
}

DeviceRuntime::Allocation CudaRuntime::allocationOf(const void* pointer) {
  static const auto range = ofDriver<CUresult (*)(CUdeviceptr*, size_t*, CUdeviceptr)>("cuMemGetAddressRange");
  CUdeviceptr base = 0;
  size_t bytes = 0;
  check(range(&base, &bytes, reinterpret_cast<CUdeviceptr>(pointer)), "cuMemGetAddressRange");
  return {reinterpret_cast<std::byte*>(base), static_cast<int64_t>(bytes)};
}

std::byte* CudaRuntime::allocate(int64_t bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, static_cast<size_t>(bytes)), "cudaMalloc");
  clear(memory, static_cast<size_t>(bytes), aside_.get());
  return static_cast<std::byte*>(memory);
}

std::byte* CudaRuntime::allocateShared(int64_t bytes) {
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocMapped), "cudaHostAlloc");
  std::memset(memory, 0, static_cast<size_t>(bytes));
  return static_cast<std::byte*>(memory);
}

std::byte* CudaRuntime::share(std::byte* pages, int64_t bytes) {
  const cudaError_t result =
      cudaHostRegister(pages, static_cast<size_t>(bytes), cudaHostRegisterPortable | cudaHostRegisterMapped);
  if (result != cudaErrorHostMemoryAlreadyRegistered) check(result, "cudaHostRegister");
  static_cast<void>(cudaGetLastError());  // it would be the next launch's
  void* address = nullptr;
  check(cudaHostGetDevicePointer(&address, pages, 0), "cudaHostGetDevicePointer");
  return static_cast<std::byte*>(address);
}

void CudaRuntime::free(std::byte* memory) noexcept {
  cudaPointerAttributes attributes{};
  static_cast<void>(cudaPointerGetAttributes(&attributes, memory));
  static_cast<void>(attributes.type == cudaMemoryTypeHost ? cudaFreeHost(memory) : cudaFree(memory));
}

std::byte* CudaRuntime::reachHost(std::byte* memory, int64_t bytes) {
  constexpr unsigned kFlags = cudaHostRegisterMapped | cudaHostRegisterPortable;
  check(cudaHostRegister(memory, static_cast<size_t>(bytes), kFlags), "cudaHostRegister");
  void* onDevice = nullptr;
  const cudaError_t result = cudaHostGetDevicePointer(&onDevice, memory, 0);
  if (result != cudaSuccess) static_cast<void>(cudaHostUnregister(memory));
  check(result, "cudaHostGetDevicePointer");
  return static_cast<std::byte*>(onDevice);
}

void CudaRuntime::leaveHost(std::byte* memory) noexcept {
  const Current current(device_);
  static_cast<void>(cudaHostUnregister(memory));
}

void CudaRuntime::write(std::byte* to, const void* from, int64_t bytes) {
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, aside_.get()), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(aside_.get()), "cudaStreamSynchronize");
}

void CudaRuntime::read(void* to, const std::byte* from, int64_t bytes) {
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, aside_.get()), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(aside_.get()), "cudaStreamSynchronize");
}

void CudaRuntime::store(std::byte* to, const std::byte* from, int64_t bytes) {
  checkLaunch(device::launchCopies(device::oneRow(to, from, static_cast<uint32_t>(bytes)), 1, aside_.get()));
  check(cudaStreamSynchronize(aside_.get()), "cudaStreamSynchronize");
}

DeviceRuntime::Handle CudaRuntime::exportMemory(std::byte* base) {
  cudaIpcMemHandle_t handle;
  check(cudaIpcGetMemHandle(&handle, base), "it has no handle for other processes: cudaIpcGetMemHandle");
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

void CudaRuntime::closeMemory(std::byte* memory) noexcept {
  const Current current(device_);
  static_cast<void>(cudaIpcCloseMemHandle(memory));
}

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

/// Also while another thread captures a graph, by which CUDA means not to be asked for this.
void CudaRuntime::finish() noexcept {
  const Current current(device_);
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  static_cast<void>(cudaThreadExchangeStreamCaptureMode(&mode));
  const cudaError_t result = cudaDeviceSynchronize();
  static_cast<void>(cudaThreadExchangeStreamCaptureMode(&mode));
  if (result != cudaSuccess)
    log::warn(log::Subsystem::Memory, "the work of GPU {} cannot be waited for: {}", device_,
              cudaGetErrorString(result));
}

void CudaRuntime::raise(uint32_t* word) noexcept {
  const Current current(device_);
  static_cast<void>(cudaMemcpyAsync(word, one_.get(), sizeof(*word), cudaMemcpyHostToDevice, aside_.get()));
}

void CudaRuntime::copy(std::byte* to, const std::byte* from, const PitchedShape& shape, void* stream) {
  const auto n = [](int64_t number) { return static_cast<size_t>(number); };
  auto* const on = static_cast<cudaStream_t>(stream);
  const auto [width, height, depth, source, destination] = shape;
  if (height == 1 && depth == 1)
    return check(cudaMemcpyAsync(to, from, n(width), cudaMemcpyDefault, on), "cudaMemcpyAsync");
  if (depth == 1)
    return check(
        cudaMemcpy2DAsync(to, n(destination.pitch), from, n(source.pitch), n(width), n(height), cudaMemcpyDefault, on),
        "cudaMemcpy2DAsync");
  cudaMemcpy3DParms all{};
  all.srcPtr = {const_cast<std::byte*>(from), n(source.pitch), n(width), n(source.rows)};
  all.dstPtr = {to, n(destination.pitch), n(width), n(destination.rows)};
  all.extent = {n(width), n(height), n(depth)};
  all.kind = cudaMemcpyDefault;
  check(cudaMemcpy3DAsync(&all, on), "cudaMemcpy3DAsync");
}

std::unique_ptr<DeviceRuntime> makeDeviceRuntime() { return std::make_unique<CudaRuntime>(); }

std::byte* allocateDeviceMemory(int64_t bytes) {
  requireGpu();
  // Smaller ones may be parts of a block of this size, all of which a handle would share.
  constexpr int64_t kBlock = int64_t{2} << 20;
  const auto size = static_cast<size_t>((bytes + kBlock - 1) / kBlock * kBlock);
  void* memory = nullptr;
  const cudaError_t result = cudaMalloc(&memory, size);
  if (result == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    int device = -1;
    size_t left = 0, all = 0;
    static_cast<void>(cudaGetDevice(&device));
    static_cast<void>(cudaMemGetInfo(&left, &all));
    raise(Result::OutOfMemory, "{} bytes of GPU {} are needed, {} of its {} are free: free some, or ask for less", size,
          device, left, all);
  }
  check(result, "cudaMalloc");
  try {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    const std::unique_ptr<CUstream_st, CudaRuntime::DestroyStream> owner(stream);
    clear(memory, size, stream);
  } catch (...) {
    static_cast<void>(cudaFree(memory));
    throw;
  }
  return static_cast<std::byte*>(memory);
}

void freeDeviceMemory(std::byte* memory) { check(cudaFree(memory), "cudaFree"); }

MemoryKind memoryKindOf(const void* pointer) noexcept {
  // A process that did not load the driver has no such memory, and must stay free to fork and then use CUDA.
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (driver == nullptr) return MemoryKind::Unknown;
  dlclose(driver);
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, pointer) == cudaSuccess) return kindOf(attributes.type);
  static_cast<void>(cudaGetLastError());
  return MemoryKind::Unknown;
}

void CudaRuntime::launch(const device::Arguments& call, int blocks, void* stream) {
  checkLaunch(device::launchExchange(call, blocks, stream));
}

void CudaRuntime::launchCopies(const device::ShardCopies& copies, int blocks, void* stream) {
  checkLaunch(device::launchCopies(copies, blocks, stream));
}

void CudaRuntime::launchHandover(const device::HandoverCall& call, void* stream) {
  checkLaunch(device::launchHandover(call, stream));
}

}  // namespace ulysses
