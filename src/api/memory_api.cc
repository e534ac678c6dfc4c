// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "api/handle.h"
#include "path/cuda/device_allocations.h"
#include "path/cuda/runtime.h"
#include "path/shm/segment.h"

using namespace ulysses;
using namespace ulysses::api;

namespace {

/// What ulyssesCommRegister hands out for memory that was a segment already: nothing to undo.
char alreadyRegistered;

constexpr size_t kMostDeviceBytes = size_t{1} << 48;

Result registerPlain(uint64_t comm, void* pointer, size_t bytes, uint32_t flags, void** handle) {
  requireComm(comm);
  require((flags & ~ULYSSES_REGISTER_WINDOW) == 0, "flags={:#x}: want 0 or ULYSSES_REGISTER_WINDOW ({:#x})", flags,
          ULYSSES_REGISTER_WINDOW);
  const bool window = (flags & ULYSSES_REGISTER_WINDOW) != 0;
  require(handle != nullptr, "handle is NULL");
  require(pointer != nullptr, "pointer is NULL");
  require(bytes > 0, "size=0: want at least 1");
  if (const MemoryKind kind = memoryKindOf(pointer); kind == MemoryKind::Device || kind == MemoryKind::Managed)
    return withComm(comm, [&](Communicator& used) {
      *handle =
          const_cast<void*>(used.registerDevice(static_cast<std::byte*>(pointer), static_cast<int64_t>(bytes), window));
      return Result::Success;
    });
  require(!window, "flags=ULYSSES_REGISTER_WINDOW: pointer {} is not GPU memory; register host memory with flags 0",
          address(pointer));
  if (!SegmentRegistry::instance().find(pointer, bytes))
    raise(Result::NotSupported,
          "pointer {} size {}: private memory cannot be mapped by other processes; allocate it with ulyssesMemAlloc, "
          "or back it "
          "with a file descriptor (memfd, POSIX shm, torch share_memory_()) and call ulyssesCommRegisterFd. "
          "Unregistered it is "
          "exchanged with two copies instead of one",
          address(pointer), bytes);
  *handle = &alreadyRegistered;
  return Result::Success;
}

}  // namespace

extern "C" {

ulyssesResult_t ulyssesMemAlloc(void** pointer, size_t bytes) {
  return guard([&] {
    require(pointer != nullptr, "pointer is NULL");
    *pointer = nullptr;
    *pointer = SegmentRegistry::instance().allocate(bytes)->base;
    return Result::Success;
  });
}

ulyssesResult_t ulyssesMemAllocDevice(void** pointer, size_t bytes) {
  return guard([&] {
    require(pointer != nullptr, "pointer is NULL");
    *pointer = nullptr;
    require(bytes > 0 && bytes <= kMostDeviceBytes, "bytes={}: want 1..2^48", bytes);
    *pointer = DeviceAllocations::instance().allocate(static_cast<int64_t>(bytes));
    return Result::Success;
  });
}

ulyssesResult_t ulyssesMemFree(void* pointer) {
  return guard([&] {
    require(pointer == nullptr || SegmentRegistry::instance().release(pointer, true) ||
                DeviceAllocations::instance().release(pointer),
            "pointer {} is not the start of memory from ulyssesMemAlloc or ulyssesMemAllocDevice, was freed before, or "
            "is of the process that "
            "this one was forked off",
            address(pointer));
    return Result::Success;
  });
}

ulyssesResult_t ulyssesCommRegisterFd(ulyssesComm_t comm, void* pointer, size_t bytes, int fd, int64_t offset,
                                      void** handle) {
  return guard([&] {
    requireComm(idOf(comm));
    require(handle != nullptr, "handle is NULL");
    *handle = nullptr;
    *handle = SegmentRegistry::instance().adopt(pointer, bytes, fd, offset)->base;
    return Result::Success;
  });
}

ulyssesResult_t ulyssesCommRegister(ulyssesComm_t comm, void* pointer, size_t bytes, void** handle) {
  return guard([&] { return registerPlain(idOf(comm), pointer, bytes, 0, handle); });
}

ulyssesResult_t ulyssesCommRegisterFlags(ulyssesComm_t comm, void* pointer, size_t bytes, uint32_t flags,
                                         void** handle) {
  return guard([&] { return registerPlain(idOf(comm), pointer, bytes, flags, handle); });
}

ulyssesResult_t ulyssesCommDeregister(ulyssesComm_t comm, void* handle) {
  return guard([&] {
    requireComm(idOf(comm));
    if (handle == &alreadyRegistered) return Result::Success;
    if (handle != nullptr && SegmentRegistry::instance().release(handle, false)) return Result::Success;
    return withComm(idOf(comm), [&](Communicator& used) {
      require(handle != nullptr && used.deregisterDevice(handle),
              "handle {} is not from ulyssesCommRegister or ulyssesCommRegisterFd, or was deregistered before", handle);
      return Result::Success;
    });
  });
}

}  // extern "C"
