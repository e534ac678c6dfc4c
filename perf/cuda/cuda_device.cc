// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstring>

#include "cuda/kernels.h"
#include "cuda/uuid.h"
#include "device.h"
#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

static_assert(sizeof(cudaIpcMemHandle_t) == sizeof(Device::Handle));

void check(int result, const char* call) {
  const auto error = static_cast<cudaError_t>(result);
  if (error == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // it would be the next launch's
  throw RunError(
      fmt::format("--memory cuda: {} failed: {} ({})", call, cudaGetErrorString(error), cudaGetErrorName(error)));
}

int choose(int localRank) {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result != cudaSuccess || count == 0)
    throw RunError(fmt::format(
        "--memory cuda: {}: no GPU can be used: {}; look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use --memory "
        "registered",
        ulyssesGetErrorString(ulyssesNotSupported),
        result == cudaSuccess ? "the driver shows none" : cudaGetErrorString(result)));
  check(cudaSetDevice(localRank % count), "cudaSetDevice");
  return localRank % count;
}

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int localRank) : device_(choose(localRank)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
    check(cudaMalloc(reinterpret_cast<void**>(&sink_), sizeof(*sink_)), "cudaMalloc");
  }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;
  ~CudaDevice() override {
    static_cast<void>(cudaFree(sink_));
    static_cast<void>(cudaEventDestroy(end_));
    static_cast<void>(cudaEventDestroy(begin_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  std::string name() const override {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, device_), "cudaGetDeviceProperties");
    return fmt::format("GPU {} {} ({})", device_, properties.name, uuidText(properties.uuid));
  }

  std::byte* allocate(int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t result = cudaMalloc(&memory, static_cast<size_t>(bytes));
    if (result == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      throw RunError(
          fmt::format("--memory cuda: the GPU has no {} bytes left; make --seq, --batch or --heads (or -e) "
                      "smaller, or use fewer ranks a GPU",
                      bytes));
    }
    check(result, "cudaMalloc");
    return static_cast<std::byte*>(memory);
  }
  void free(std::byte* memory) noexcept override { static_cast<void>(cudaFree(memory)); }

  void upload(std::byte* to, const void* from, int64_t bytes) override {
    finish();
    check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice), "cudaMemcpy to the GPU");
  }
  void download(void* to, const std::byte* from, int64_t bytes) override {
    finish();
    check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost), "cudaMemcpy from the GPU");
  }

  Handle exportMemory(std::byte* start) override {
    cudaIpcMemHandle_t handle;
    check(cudaIpcGetMemHandle(&handle, start), "cudaIpcGetMemHandle");
    Handle out;
    std::memcpy(out.data(), &handle, sizeof(handle));
    return out;
  }
  std::byte* openMemory(const Handle& handle) override {
    cudaIpcMemHandle_t in;
    std::memcpy(&in, handle.data(), sizeof(in));
    void* memory = nullptr;
    check(cudaIpcOpenMemHandle(&memory, in, cudaIpcMemLazyEnablePeerAccess), "cudaIpcOpenMemHandle");
    return static_cast<std::byte*>(memory);
  }
  void closeMemory(std::byte* memory) noexcept override { static_cast<void>(cudaIpcCloseMemHandle(memory)); }

  void* stream() override { return stream_; }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_), "cudaMemcpyAsync");
  }
  void copyStrided(std::byte* to, const std::byte* from, const StridedPass& pass) override {
    check(launchStrided(to, from, pass, stream_), "the launch of the strided copy");
  }
  void rewrite(std::byte* data, int64_t bytes) override {
    check(launchRewrite(data, bytes, stream_), "the launch that rewrites inputs");
  }
  void readAll(const std::byte* data, int64_t bytes) override {
    check(launchRead(data, bytes, sink_, stream_), "the launch that reads outputs");
  }

  void startClock() override { check(cudaEventRecord(begin_, stream_), "cudaEventRecord"); }
  double stopClockUs() override {
    check(cudaEventRecord(end_, stream_), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(ms) * 1e3;
  }
  void finish() override { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  uint32_t* sink_ = nullptr;
};

}  // namespace

std::unique_ptr<Device> openDevice(int localRank) { return std::make_unique<CudaDevice>(localRank); }

}  // namespace ulysses::perf
