// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory of cuMemCreate and cuMemMap: ncclMemAlloc's, torch's symmetric memory and expandable segments.
#include <fcntl.h>

#include "path/cuda/cuda_call.h"
#include "path/cuda/cuda_runtime.h"

namespace ulysses {
namespace {

using Physical = CUmemGenericAllocationHandle;

/// What of the driver is used here, looked up once.
struct Driver {
  decltype(&cuMemRetainAllocationHandle) retain;
  decltype(&cuMemRelease) release;
  decltype(&cuMemGetAllocationPropertiesFromHandle) propertiesOf;
  decltype(&cuMemExportToShareableHandle) exportTo;
  decltype(&cuMemImportFromShareableHandle) importFrom;
  decltype(&cuMemAddressReserve) reserve;
  decltype(&cuMemAddressFree) unreserve;
  decltype(&cuMemMap) map;
  decltype(&cuMemUnmap) unmap;
  decltype(&cuMemSetAccess) setAccess;

  static const Driver& of() {
    static const Driver driver;
    return driver;
  }

 private:
  template <typename Function>
  static void find(Function& function, const char* name) {
    function = ofDriver<Function>(name);
  }
  Driver() {
    find(retain, "cuMemRetainAllocationHandle");
    find(release, "cuMemRelease");
    find(propertiesOf, "cuMemGetAllocationPropertiesFromHandle");
    find(exportTo, "cuMemExportToShareableHandle");
    find(importFrom, "cuMemImportFromShareableHandle");
    find(reserve, "cuMemAddressReserve");
    find(unreserve, "cuMemAddressFree");
    find(map, "cuMemMap");
    find(unmap, "cuMemUnmap");
    find(setAccess, "cuMemSetAccess");
  }
};

/// Holds physical memory; a mapping of it holds it too.
class Hold {
 public:
  explicit Hold(Physical memory) : memory_(memory) {}
  ~Hold() { static_cast<void>(Driver::of().release(memory_)); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Physical memory_;
};

CUdeviceptr addressOf(const std::byte* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

/// Lets a GPU read and write whole mappings; what others may do stays.
void giveAccess(std::byte* base, int64_t bytes, int device) {
  const CUmemAccessDesc access{{CU_MEM_LOCATION_TYPE_DEVICE, device}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  check(Driver::of().setAccess(addressOf(base), static_cast<size_t>(bytes), &access, 1), "cuMemSetAccess");
}

}  // namespace

bool CudaRuntime::isMapped(const void* pointer) {
  Physical memory = 0;
  if (Driver::of().retain(&memory, const_cast<void*>(pointer)) != CUDA_SUCCESS) return false;
  const Hold hold(memory);
  return true;
}

UniqueFd CudaRuntime::exportMapping(std::byte* base) {
  Physical memory = 0;
  check(Driver::of().retain(&memory, base), "cuMemRetainAllocationHandle");
  const Hold hold(memory);
  CUmemAllocationProp properties{};
  check(Driver::of().propertiesOf(&properties, memory), "cuMemGetAllocationPropertiesFromHandle");
  if ((properties.requestedHandleTypes & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) == 0)
    ulysses::raise(Result::NotSupported,
                   "it has no handle for other processes: cuMemCreate was not asked for a POSIX file descriptor "
                   "(requestedHandleTypes is {})",
                   static_cast<int>(properties.requestedHandleTypes));
  int fd = -1;
  check(Driver::of().exportTo(&fd, memory, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
        "cuMemExportToShareableHandle");
  static_cast<void>(fcntl(fd, F_SETFD, FD_CLOEXEC));
  return UniqueFd(fd);
}

std::byte* CudaRuntime::reserve(int64_t bytes) {
  CUdeviceptr base = 0;
  check(Driver::of().reserve(&base, static_cast<size_t>(bytes), 0, 0, 0), "cuMemAddressReserve");
  return reinterpret_cast<std::byte*>(base);
}

void CudaRuntime::unreserve(std::byte* base, int64_t bytes) noexcept {
  const Current current(device_);
  static_cast<void>(Driver::of().unreserve(addressOf(base), static_cast<size_t>(bytes)));
}

void CudaRuntime::map(std::byte* at, int64_t bytes, int fd) {
  Physical memory = 0;
  auto* const handle =
      reinterpret_cast<void*>(static_cast<uintptr_t>(fd));  // NOLINT(performance-no-int-to-ptr): CUDA's
  check(Driver::of().importFrom(&memory, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR),
        "cuMemImportFromShareableHandle");
  const Hold hold(memory);
  check(Driver::of().map(addressOf(at), static_cast<size_t>(bytes), 0, memory, 0), "cuMemMap");
  try {
    giveAccess(at, bytes, device_);
  } catch (...) {
    unmap(at, bytes);
    throw;
  }
}

void CudaRuntime::unmap(std::byte* at, int64_t bytes) noexcept {
  const Current current(device_);
  static_cast<void>(Driver::of().unmap(addressOf(at), static_cast<size_t>(bytes)));
}

void CudaRuntime::reachMappings(std::byte* base, int64_t bytes) { giveAccess(base, bytes, device_); }

}  // namespace ulysses
