// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "path/cuda/cuda_call.h"

namespace ulysses::test {

/// Memory of a GPU in mappings side by side, as PyTorch's expandable segments are, in address space for one more.
class GpuMappings {
 public:
  /// At least so many bytes, in two pieces or more. `exportable`: each can be had as a descriptor. Throws Error.
  GpuMappings(int device, std::int64_t bytes, bool exportable) {
    CUmemAllocationProp kind{};
    kind.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    kind.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
    if (exportable) kind.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    check(of<decltype(&cuMemGetAllocationGranularity)>("cuMemGetAllocationGranularity")(
              &piece_, &kind, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
          "cuMemGetAllocationGranularity");
    pieces_ = std::max<std::size_t>(2, (static_cast<std::size_t>(bytes) + piece_ - 1) / piece_);
    check(of<decltype(&cuMemAddressReserve)>("cuMemAddressReserve")(&address_, reserved(), 0, 0, 0),
          "cuMemAddressReserve");
    for (std::size_t i = 0; i < pieces_; ++i) mapPiece(kind, address_ + i * piece_);
    const CUmemAccessDesc access{kind.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    check(of<decltype(&cuMemSetAccess)>("cuMemSetAccess")(address_, mapped(), &access, 1), "cuMemSetAccess");
  }
  ~GpuMappings() {
    static_cast<void>(of<decltype(&cuMemUnmap)>("cuMemUnmap")(address_, mapped()));
    static_cast<void>(of<decltype(&cuMemAddressFree)>("cuMemAddressFree")(address_, reserved()));
  }
  GpuMappings(const GpuMappings&) = delete;
  GpuMappings& operator=(const GpuMappings&) = delete;

  std::byte* data() const { return reinterpret_cast<std::byte*>(address_); }
  std::size_t pieceBytes() const { return piece_; }

 private:
  template <typename Function>
  static Function of(const char* name) {
    return ofDriver<Function>(name);
  }
  std::size_t mapped() const { return pieces_ * piece_; }
  std::size_t reserved() const { return mapped() + piece_; }
  void mapPiece(const CUmemAllocationProp& kind, CUdeviceptr at) const {
    CUmemGenericAllocationHandle memory = 0;
    check(of<decltype(&cuMemCreate)>("cuMemCreate")(&memory, piece_, &kind, 0), "cuMemCreate");
    check(of<decltype(&cuMemMap)>("cuMemMap")(at, piece_, 0, memory, 0), "cuMemMap");
    check(of<decltype(&cuMemRelease)>("cuMemRelease")(memory), "cuMemRelease");
  }

  std::size_t pieces_ = 0, piece_ = 0;
  CUdeviceptr address_ = 0;
};

}  // namespace ulysses::test
