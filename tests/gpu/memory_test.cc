// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What CUDA says of each kind of memory (rows A2 and A3 of the fault matrix), and which can be mapped.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <vector>

#include "path/cuda/cuda_runtime.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess)

constexpr std::size_t kBytes = 1 << 20;

TEST(CudaMemory, HostMemoryAndFreedMemoryAreToldFromDeviceMemory) {
  CudaRuntime runtime;
  std::vector<std::byte> host(kBytes);
  EXPECT_EQ(runtime.memoryOf(host.data()).kind, MemoryKind::Unknown);
  void *pinned = nullptr, *device = nullptr;
  ASSERT_CUDA(cudaMallocHost(&pinned, kBytes));
  EXPECT_EQ(runtime.memoryOf(pinned).kind, MemoryKind::Host);
  ASSERT_CUDA(cudaFreeHost(pinned));
  ASSERT_CUDA(cudaMalloc(&device, kBytes));
  EXPECT_TRUE(runtime.memoryOf(device).onDevice);
  EXPECT_EQ(memoryKindOf(device), MemoryKind::Device);
  const auto [base, bytes] = runtime.allocationOf(static_cast<std::byte*>(device) + 100);
  EXPECT_EQ(base, device);
  EXPECT_EQ(bytes, static_cast<std::int64_t>(kBytes));
  ASSERT_CUDA(cudaFree(device));
  EXPECT_EQ(runtime.memoryOf(device).kind, MemoryKind::Unknown);
}

TEST(CudaMemory, OfPoolsAndManagedMemoryHaveNoHandle) {
  CudaRuntime runtime;
  void *managed = nullptr, *pooled = nullptr;
  ASSERT_CUDA(cudaMallocManaged(&managed, kBytes));
  EXPECT_EQ(runtime.memoryOf(managed).kind, MemoryKind::Managed);
  EXPECT_TRUE(runtime.memoryOf(managed).isUsable());
  EXPECT_NE(errorOf([&] { runtime.exportMemory(static_cast<std::byte*>(managed)); }).find("has no handle"),
            std::string::npos);
  ASSERT_CUDA(cudaFree(managed));
  ASSERT_CUDA(cudaMallocAsync(&pooled, kBytes, nullptr));
  ASSERT_CUDA(cudaStreamSynchronize(nullptr));
  EXPECT_TRUE(runtime.memoryOf(pooled).onDevice);
  const auto [base, bytes] = runtime.allocationOf(pooled);  // registration asks for it
  EXPECT_LE(static_cast<void*>(base), pooled);
  EXPECT_GE(base + bytes, static_cast<std::byte*>(pooled) + kBytes);
  EXPECT_NE(errorOf([&] { runtime.exportMemory(static_cast<std::byte*>(pooled)); }).find("has no handle"),
            std::string::npos);
  ASSERT_CUDA(cudaFreeAsync(pooled, nullptr));
  ASSERT_CUDA(cudaStreamSynchronize(nullptr));
}

TEST(CudaMemory, OfTheLibraryIsZeroedAndHasAHandle) {
  CudaRuntime runtime;
  std::byte* const memory = allocateDeviceMemory(100);
  std::vector<std::byte> bytes(100, std::byte{1});
  ASSERT_CUDA(cudaMemcpy(bytes.data(), memory, bytes.size(), cudaMemcpyDeviceToHost));
  EXPECT_EQ(bytes, std::vector<std::byte>(100));
  EXPECT_EQ(runtime.allocationOf(memory).base, memory);
  EXPECT_EQ(runtime.allocationOf(memory).bytes, 2 << 20);
  EXPECT_EQ(errorOf([&] { runtime.exportMemory(memory); }), "");
  freeDeviceMemory(memory);
}

}  // namespace
}  // namespace ulysses::test
