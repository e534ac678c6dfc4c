// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What CUDA says of each kind of memory (rows A2 and A3 of the fault matrix), and which can be mapped.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <vector>

#include "gpu/mappings.h"
#include "path/cuda/cuda_runtime.h"
#include "path/cuda/mapped_range.h"
#include "unit/error_of.h"

namespace ulysses::test {
namespace {

#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess)

constexpr std::size_t kBytes = 4 << 20;  // no part of a block that others are in

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

// As PyTorch's expandable segments are made. Registration walks from mapping to mapping.
TEST(CudaMemory, OfMappingsSideBySideIsToldPieceByPiece) {
  CudaRuntime runtime;
  const GpuMappings mappings(runtime.device(), 1, false);
  const auto piece = static_cast<std::ptrdiff_t>(mappings.pieceBytes());
  for (std::byte* const at : {mappings.data(), mappings.data() + piece}) {
    EXPECT_TRUE(runtime.isMapped(at + 100));
    EXPECT_TRUE(runtime.memoryOf(at + 100).onDevice);
    EXPECT_EQ(runtime.allocationOf(at + 100).base, at);
    EXPECT_EQ(runtime.allocationOf(at + 100).bytes, piece);
    EXPECT_NE(errorOf([&] { runtime.exportMemory(at); }).find("has no handle"), std::string::npos);
    EXPECT_NE(errorOf([&] { runtime.exportMapping(at); }).find("was not asked for a POSIX file descriptor"),
              std::string::npos);
  }
  EXPECT_FALSE(runtime.isMapped(mappings.data() + 2 * piece));
  void* allocated = nullptr;
  ASSERT_CUDA(cudaMalloc(&allocated, kBytes));
  EXPECT_FALSE(runtime.isMapped(allocated));
  ASSERT_CUDA(cudaFree(allocated));
}

// Other processes map it so; here it is this one, which then has it twice.
TEST(CudaMemory, OfMappingsIsMappedByItsDescriptors) {
  CudaRuntime runtime;
  const GpuMappings mappings(runtime.device(), 1, true);
  const auto piece = static_cast<std::int64_t>(mappings.pieceBytes());
  MappedRange again(runtime, 2 * piece);
  for (int i = 0; i < 2; ++i) {
    const UniqueFd fd = runtime.exportMapping(mappings.data() + i * piece);
    EXPECT_FALSE(again.isFull());
    again.append(fd.get(), piece);
  }
  EXPECT_TRUE(again.isFull());
  EXPECT_NE(again.data(), mappings.data());
  const std::vector<std::byte> written(static_cast<std::size_t>(2 * piece), std::byte{7});
  runtime.write(mappings.data(), written.data(), 2 * piece);
  std::vector<std::byte> seen(written.size());
  runtime.read(seen.data(), again.data(), 2 * piece);
  EXPECT_EQ(seen, written);
  // By a kernel, across the end of a piece.
  runtime.write(mappings.data(), std::vector<std::byte>(128, std::byte{9}).data(), 128);
  runtime.store(again.data() + piece - 64, mappings.data(), 128);
  runtime.read(seen.data(), mappings.data() + piece - 64, 128);
  EXPECT_EQ(std::vector<std::byte>(seen.begin(), seen.begin() + 128), std::vector<std::byte>(128, std::byte{9}));
  EXPECT_NE(errorOf([&] { again.append(0, piece); }).find("does not fit"), std::string::npos);
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
