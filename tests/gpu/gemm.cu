// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include "gpu/gemm.h"

namespace ulysses::test {
namespace {

constexpr int kTile = 64, kDepth = 16, kThreads = 256, kEach = 4;  // a thread has 4 x 4 elements of a tile

__global__ void __launch_bounds__(kThreads) gemm(const float* a, const float* b, float* c, int n, int depth) {
  __shared__ float left[kDepth][kTile], right[kDepth][kTile];
  const int row = static_cast<int>(threadIdx.x) / 16 * kEach, column = static_cast<int>(threadIdx.x) % 16 * kEach;
  const size_t firstRow = size_t{blockIdx.y} * kTile, firstColumn = size_t{blockIdx.x} * kTile,
               width = static_cast<size_t>(n), inner = static_cast<size_t>(depth);
  float sums[kEach][kEach] = {};
  for (size_t done = 0; done < inner; done += kDepth) {
    for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth; i += kThreads) {
      left[i % kDepth][i / kDepth] = a[(firstRow + i / kDepth) * inner + done + i % kDepth];
      right[i / kTile][i % kTile] = b[(done + i / kTile) * width + firstColumn + i % kTile];
    }
    __syncthreads();
    for (int k = 0; k < kDepth; ++k)
      for (int i = 0; i < kEach; ++i)
        for (int j = 0; j < kEach; ++j) sums[i][j] += left[k][row + i] * right[k][column + j];
    __syncthreads();
  }
  for (int i = 0; i < kEach; ++i)
    for (int j = 0; j < kEach; ++j) c[(firstRow + row + i) * width + firstColumn + column + j] = sums[i][j];
}

}  // namespace

int launchGemm(const float* a, const float* b, float* c, int n, int depth, void* stream) {
  const dim3 blocks(static_cast<unsigned>(n / kTile), static_cast<unsigned>(n / kTile));
  gemm<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(a, b, c, n, depth);
  return cudaGetLastError();
}

}  // namespace ulysses::test
