// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include "gpu/bench_kernels.h"

namespace ulysses::test {
namespace {

constexpr unsigned kThreads = 256, kMostBlocks = 4096;

/// The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
__device__ uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// Four numbers of bf16 or two floats, whose exponents are 112 to 127.
__device__ uint64_t numbers(uint64_t seed, int64_t i) {
  const uint64_t random = mixed(seed + static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15);
  return (random & 0x87ff87ff87ff87ff) | 0x3800380038003800;
}

__global__ void __launch_bounds__(kThreads) fill(ulonglong2* words, int64_t count, uint64_t seed) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step)
    words[i] = make_ulonglong2(numbers(seed, 2 * i), numbers(seed, 2 * i + 1));
}

__global__ void __launch_bounds__(kThreads)
    compare(const ulonglong2* one, const ulonglong2* other, int64_t count, unsigned long long* counter) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  unsigned long long differing = 0;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const ulonglong2 a = one[i], b = other[i];
    if (a.x != b.x || a.y != b.y) ++differing;
  }
  if (differing != 0) atomicAdd(counter, differing);
}

unsigned blocksFor(int64_t count) {
  const int64_t blocks = (count + kThreads - 1) / kThreads;
  return blocks < kMostBlocks ? static_cast<unsigned>(blocks) : kMostBlocks;
}

}  // namespace

int launchFill(std::byte* data, std::int64_t bytes, std::uint64_t seed, void* stream) {
  const int64_t count = bytes / 16;
  if (bytes % 16 != 0) return cudaErrorInvalidValue;
  if (count == 0) return cudaSuccess;
  fill<<<blocksFor(count), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(reinterpret_cast<ulonglong2*>(data), count,
                                                                             seed);
  return cudaGetLastError();
}

int launchCompare(const std::byte* one, const std::byte* other, std::int64_t bytes, unsigned long long* counter,
                  void* stream) {
  const int64_t count = bytes / 16;
  if (bytes % 16 != 0) return cudaErrorInvalidValue;
  if (count == 0) return cudaSuccess;
  compare<<<blocksFor(count), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      reinterpret_cast<const ulonglong2*>(one), reinterpret_cast<const ulonglong2*>(other), count, counter);
  return cudaGetLastError();
}

}  // namespace ulysses::test
