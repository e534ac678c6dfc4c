// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What CUDA says of each kind of memory (rows A2 and A3 of the fault matrix), and which can be mapped.
#include <cuda.h>
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

template <typename Function>
Function ofDriver(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  EXPECT_EQ(cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found), cudaSuccess);
  EXPECT_NE(function, nullptr) << name;
  return reinterpret_cast<Function>(function);
}
#define OF_DRIVER(name) ofDriver<decltype(&name)>(#name)
#define ASSERT_DRIVER(call) ASSERT_EQ(call, CUDA_SUCCESS)

// As PyTorch's expandable segments are made. Registration walks from mapping to mapping.
TEST(CudaMemory, OfMappingsSideBySideIsToldPieceByPiece) {
  CudaRuntime runtime;
  CUmemAllocationProp kind{};
  kind.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  kind.location = {CU_MEM_LOCATION_TYPE_DEVICE, runtime.device()};
  std::size_t piece = 0;
  ASSERT_DRIVER(OF_DRIVER(cuMemGetAllocationGranularity)(&piece, &kind, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
  CUdeviceptr address = 0;
  ASSERT_DRIVER(OF_DRIVER(cuMemAddressReserve)(&address, 3 * piece, 0, 0, 0));
  for (const CUdeviceptr at : {address, address + piece}) {
    CUmemGenericAllocationHandle handle = 0;
    ASSERT_DRIVER(OF_DRIVER(cuMemCreate)(&handle, piece, &kind, 0));
    ASSERT_DRIVER(OF_DRIVER(cuMemMap)(at, piece, 0, handle, 0));
    ASSERT_DRIVER(OF_DRIVER(cuMemRelease)(handle));
  }
  const CUmemAccessDesc access{kind.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  ASSERT_DRIVER(OF_DRIVER(cuMemSetAccess)(address, 2 * piece, &access, 1));
  auto* const memory = reinterpret_cast<std::byte*>(address);
  for (std::byte* const at : {memory, memory + piece}) {
    EXPECT_TRUE(runtime.isMapped(at + 100));
    EXPECT_TRUE(runtime.memoryOf(at + 100).onDevice);
    EXPECT_EQ(runtime.allocationOf(at + 100).base, at);
    EXPECT_EQ(runtime.allocationOf(at + 100).bytes, static_cast<std::int64_t>(piece));
    EXPECT_NE(errorOf([&] { runtime.exportMemory(at); }).find("has no handle"), std::string::npos);
  }
  EXPECT_FALSE(runtime.isMapped(memory + 2 * piece));
  void* allocated = nullptr;
  ASSERT_CUDA(cudaMalloc(&allocated, kBytes));
  EXPECT_FALSE(runtime.isMapped(allocated));
  ASSERT_CUDA(cudaFree(allocated));
  ASSERT_DRIVER(OF_DRIVER(cuMemUnmap)(address, 2 * piece));
  ASSERT_DRIVER(OF_DRIVER(cuMemAddressFree)(address, 3 * piece));
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
