// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/together.h"
#include "kernels/device/exchange.h"
#include "kernels/device/gpu_machine.cuh"

namespace ulysses::test {
namespace {

constexpr int kThreads = 256;

/// Blocks of one launch as those of several.
class PartOfLaunch : public device::GpuMachine {
 public:
  __device__ explicit PartOfLaunch(uint32_t blocks) : blocks_(blocks) {}
  __device__ uint32_t block() const { return blockIdx.x % blocks_; }
  __device__ uint32_t blocks() const { return blocks_; }

 private:
  uint32_t blocks_;
};

__global__ void __launch_bounds__(kThreads, 2) together(const device::Arguments* calls, uint32_t blocks) {
  PartOfLaunch machine(blocks);
  device::exchange<true>(calls[blockIdx.x / blocks], machine);
}

}  // namespace

int launchTogether(const device::Arguments* calls, int ranks, int blocks, void* stream) {
  together<<<static_cast<unsigned>(ranks * blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      calls, static_cast<uint32_t>(blocks));
  return cudaGetLastError();
}

}  // namespace ulysses::test
