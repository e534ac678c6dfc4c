// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which memory NCCL may hand in: NCCL's kinds of pointers beside UCX's kinds of memory.
#pragma once
#include <ucs/memory/memory_type.h>

#include <cstdint>
#include <optional>

#include "abi/common.h"

namespace ulysses::nccl {

/// How a device gets at memory of a GPU.
enum class Reach {
  ByCopies,   // UCX copies it, and is done when the copy is: nothing to flush
  ByAdapter,  // an InfiniBand or RoCE adapter writes it directly
};

/// NCCL_PTR_* of a device, of the memory that UCX takes there: a bit for each ucs_memory_type_t.
///
/// Not of an adapter that writes to a GPU directly: what it wrote is visible to kernels there only after a read by the
/// same adapter, and UCX's interface does not let us choose the way of a read.
/// Never DMA-BUF: UCX's interface takes no descriptors of it (1.22 included); from 1.16 on it makes its own where it
/// registers memory of a GPU.
inline int pointersOf(uint64_t memoryTypes, Reach reach) noexcept {
  const bool takesCuda = (memoryTypes & (uint64_t{1} << UCS_MEMORY_TYPE_CUDA)) != 0;
  return kPointerHost | (takesCuda && reach == Reach::ByCopies ? kPointerCuda : 0);
}

/// What UCX calls NCCL's kind of pointer, which is one bit; none: not among those that are `offered`.
inline std::optional<ucs_memory_type_t> memoryTypeOf(int pointer, int offered) noexcept {
  if ((pointer & offered) == 0) return std::nullopt;
  if (pointer == kPointerHost) return UCS_MEMORY_TYPE_HOST;
  if (pointer == kPointerCuda) return UCS_MEMORY_TYPE_CUDA;
  return std::nullopt;
}

}  // namespace ulysses::nccl
