// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ulysses::device {

/// What Protocol runs on: this thread of a GPU. Words that ranks share are read and written at the system's scope, so
/// that they hold between GPUs and between the processes of one.
class GpuMachine {
 public:
  __device__ uint32_t block() const { return blockIdx.x; }
  __device__ uint32_t blocks() const { return gridDim.x; }
  __device__ uint32_t thread() const { return threadIdx.x; }
  __device__ uint32_t threads() const { return blockDim.x; }

  __device__ bool any(bool mine) const { return __syncthreads_or(mine) != 0; }

  __device__ uint32_t load(const uint32_t* word) const {
    uint32_t value;
    asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
    return value;
  }
  __device__ void store(uint32_t* word, uint32_t value) const {
    asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
  }
  __device__ void put(uint32_t* word, uint32_t value) const {
    asm volatile("st.relaxed.sys.global.u32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
  }
  __device__ void put(uint64_t* word, uint64_t value) const {
    asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
  }
  /// What the other blocks did before their add is seen after the last one's. The fence releases it, with stores to
  /// peers.
  __device__ uint32_t add(uint32_t* word, uint32_t value) const {
    uint32_t before;
    asm volatile("fence.acq_rel.sys;" ::: "memory");
    asm volatile("atom.acquire.gpu.global.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(word), "r"(value) : "memory");
    return before;
  }

  __device__ uint64_t now() const {
    uint64_t ns;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
    return ns;
  }
  __device__ void pause() const { __nanosleep(kPauseNs); }

 private:
  static constexpr uint32_t kPauseNs = 40;
};

}  // namespace ulysses::device
