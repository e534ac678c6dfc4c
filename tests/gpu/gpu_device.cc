// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/check.h"
#include "device/test_device.h"
#include "gpu/mappings.h"
#include "gpu/together.h"
#include "path/cuda/cuda_runtime.h"

namespace ulysses::test {
namespace {

void check(cudaError_t result, const char* call) {
  if (result != cudaSuccess) raise(Result::SystemError, "{}: {}", call, cudaGetErrorString(result));
}

/// All ranks of a test share the GPU and, with ULYSSES_GPU_TOGETHER set, launches: for tools that let only one kernel
/// run at a time.
class SharedLaunch {
 public:
  static SharedLaunch* wanted() {
    static SharedLaunch only;
    return std::getenv("ULYSSES_GPU_TOGETHER") != nullptr ? &only : nullptr;
  }
  /// Launches once all ranks have come; nothing is known of what is not launched yet.
  void add(const device::Arguments& call, int blocks, void* stream) {
    constexpr int kMostBlocks = 8;  // such tools may make kernels larger
    blocks = std::min(blocks, kMostBlocks);
    waiting_.push_back(call);
    if (waiting_.size() < static_cast<std::size_t>(call.nRanks)) return;
    std::byte* memory = nullptr;
    const std::size_t bytes = waiting_.size() * sizeof(call);
    check(cudaMalloc(reinterpret_cast<void**>(&memory), bytes), "cudaMalloc");
    check(cudaMemcpy(memory, waiting_.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
    check(static_cast<cudaError_t>(
              launchTogether(reinterpret_cast<device::Arguments*>(memory), call.nRanks, blocks, stream)),
          "launch");
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    check(cudaFree(memory), "cudaFree");
    waiting_.clear();
  }

 private:
  std::vector<device::Arguments> waiting_;
};

/// Ranks of one process wait for each other: none of their streams may share a hardware queue, and no kernel be loaded
/// meanwhile.
const bool isReady = [] {
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  setenv("CUDA_MODULE_LOADING", "EAGER", 0);
  return true;
}();

class TestRuntime : public CudaRuntime {
 public:
  void launch(const device::Arguments& call, int blocks, void* stream) override {
    if (SharedLaunch* const shared = SharedLaunch::wanted()) return shared->add(call, blocks, stream);
    CudaRuntime::launch(call, blocks, stream);
  }
};

class GpuDevice : public TestDevice {
 public:
  GpuDevice() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~GpuDevice() override {
    if (graph_ != nullptr) static_cast<void>(cudaGraphExecDestroy(graph_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  DeviceRuntime& runtime() override { return runtime_; }
  void* stream() override { return stream_; }
  void wait() override { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }
  void capture(const std::function<void()>& enqueues) override {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    enqueues();
    check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
    check(cudaGraphDestroy(graph), "cudaGraphDestroy");
    check(cudaGraphUpload(graph_, stream_), "cudaGraphUpload");  // not while other ranks' graphs wait for this one
    wait();
  }
  void replay() override { check(cudaGraphLaunch(graph_, stream_), "cudaGraphLaunch"); }
  std::vector<std::byte> read(const std::byte* from, std::size_t bytes) override {
    std::vector<std::byte> out(bytes);
    check(cudaMemcpy(out.data(), from, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
    return out;
  }
  std::byte* allocateMapped(std::int64_t bytes) override {
    mapped_.emplace(runtime_.device(), bytes, true);
    return mapped_->data() + mapped_->pieceBytes() - 512;
  }

 private:
  TestRuntime runtime_;
  std::optional<GpuMappings> mapped_;
  cudaStream_t stream_ = nullptr;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<TestDevice> makeTestDevice() { return std::make_unique<GpuDevice>(); }

void prepareProcesses(int) {}
void enterProcess(int) {}

void letCopiesRace() {}

std::uint64_t deviceCases() {
  const char* const text = std::getenv("ULYSSES_TEST_CASES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 500;
}

}  // namespace ulysses::test
