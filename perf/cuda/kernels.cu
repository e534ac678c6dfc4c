// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <algorithm>

#include "kernels.h"

namespace ulysses::perf {
namespace {

// 64 registers a thread, which is enough not to spill (tests/device/resources.py), and 64 KiB of loads in flight on a
// multiprocessor: more than the latency of its memory needs.
constexpr int kBlocksPerProcessor = 4;

// Each tile is of one box, so the search for it and its fields are the same for the whole block. Neighbouring threads
// have neighbouring units of a row: both sides are whole sectors wherever a row has 32 bytes or more.
template <typename Unit>
__global__ void __launch_bounds__(kTileThreads, kBlocksPerProcessor)
    stridedCopy(std::byte* __restrict__ to, const std::byte* __restrict__ from, const StridedPass pass) {
  for (uint32_t tile = blockIdx.x; tile < pass.tiles; tile += gridDim.x) {
    const StridedBox& box = pass.boxes[boxOf(pass.boxes, pass.nBoxes, tile)];
    const uint32_t first = (tile - box.firstTile) * kTileUnits + threadIdx.x;
    Unit values[kUnitsInFlight];
    int64_t targets[kUnitsInFlight];
#pragma unroll
    for (uint32_t i = 0; i < kUnitsInFlight; ++i) {
      const uint32_t unit = first + i * kTileThreads;
      if (unit >= box.units) continue;
      const Place place = placeOf(box, unit, sizeof(Unit));
      targets[i] = place.target;
      values[i] = *reinterpret_cast<const Unit*>(from + place.source);
    }
#pragma unroll
    for (uint32_t i = 0; i < kUnitsInFlight; ++i)
      if (first + i * kTileThreads < box.units) *reinterpret_cast<Unit*>(to + targets[i]) = values[i];
  }
}

__global__ void __launch_bounds__(kTileThreads) rewrite(volatile uint64_t* words, int64_t count) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) words[i] = words[i];
}

__global__ void __launch_bounds__(kTileThreads)
    readAll(const uint4* __restrict__ words, int64_t count, uint32_t* sink) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  uint32_t all = 0;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const uint4 word = words[i];
    all ^= word.x ^ word.y ^ word.z ^ word.w;
  }
  if (all == 0x9e3779b9) *sink = all;  // as good as never, which the compiler does not know
}

unsigned blocksFor(int64_t wanted) {
  int device = 0, processors = 1;
  if (cudaGetDevice(&device) == cudaSuccess)
    static_cast<void>(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  return static_cast<unsigned>(std::clamp<int64_t>(wanted, 1, int64_t{processors} * kBlocksPerProcessor));
}

template <typename Unit>
int launchAs(std::byte* to, const std::byte* from, const StridedPass& pass, void* stream) {
  stridedCopy<Unit><<<blocksFor(pass.tiles), kTileThreads, 0, static_cast<cudaStream_t>(stream)>>>(to, from, pass);
  return cudaGetLastError();
}

}  // namespace

int launchStrided(std::byte* to, const std::byte* from, const StridedPass& pass, void* stream) {
  if (pass.tiles == 0) return cudaSuccess;
  switch (pass.unitBytes) {
    case 16:
      return launchAs<uint4>(to, from, pass, stream);
    case 8:
      return launchAs<uint64_t>(to, from, pass, stream);
    case 4:
      return launchAs<uint32_t>(to, from, pass, stream);
    case 2:
      return launchAs<uint16_t>(to, from, pass, stream);
    default:
      return launchAs<uint8_t>(to, from, pass, stream);
  }
}

int launchRewrite(std::byte* data, int64_t bytes, void* stream) {
  const int64_t count = bytes / 8;
  rewrite<<<blocksFor((count + kTileThreads - 1) / kTileThreads), kTileThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      reinterpret_cast<volatile uint64_t*>(data), count);
  return cudaGetLastError();
}

int launchRead(const std::byte* data, int64_t bytes, uint32_t* sink, void* stream) {
  const int64_t count = bytes / 16;
  readAll<<<blocksFor((count + kTileThreads - 1) / kTileThreads), kTileThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      reinterpret_cast<const uint4*>(data), count, sink);
  return cudaGetLastError();
}

}  // namespace ulysses::perf
