// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "kernels/device/handover.h"
#include "kernels/device/shard_copy.h"
#include "path/cuda/pitched_copy.h"

namespace ulysses {

/// Unknown: nothing of CUDA's, so ordinary host memory, or freed. Host: host memory that CUDA allocated or registered.
enum class MemoryKind { Unknown, Host, Managed, Device };

/// What a rank needs of its GPU: CUDA, or in tests the CPU. Functions throw Error with the call and the reason. Used by
/// one thread at a time.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  struct Memory {
    MemoryKind kind = MemoryKind::Unknown;
    int device = -1;        // ordinal of the GPU; device memory only
    bool onDevice = false;  // device memory of this runtime's GPU
    /// Whether this GPU's kernels may be given it.
    bool isUsable() const { return onDevice || kind == MemoryKind::Managed; }
  };
  /// Asks the driver.
  virtual Memory memoryOf(const void* pointer) = 0;
  struct Allocation {
    std::byte* base = nullptr;
    int64_t bytes = 0;
  };
  /// Of device or managed memory.
  virtual Allocation allocationOf(const void* pointer) = 0;
  /// Whether cuMemMap put it there, so that what is mapped behind it may belong to it.
  virtual bool isMapped(const void* pointer) = 0;

  /// Ordinals of this runtime's GPU, and of the one that is current to this thread. Neither asks the driver.
  virtual int device() const = 0;
  virtual int currentDevice() const = 0;
  /// Of the GPU's memory in this process: another number after the process has reset the GPU.
  virtual uint64_t context() = 0;

  /// Device memory, zeroed, and host memory that kernels reach. Both are freed with free.
  virtual std::byte* allocate(int64_t bytes) = 0;
  virtual std::byte* allocateShared(int64_t bytes) = 0;
  /// Lets kernels reach whole pages of host memory that is never freed: as they address it.
  virtual std::byte* share(std::byte* pages, int64_t bytes) = 0;
  virtual void free(std::byte* memory) noexcept = 0;
  /// Host memory of the caller's: pins it and makes it reachable for kernels, by the address that is returned. Undone
  /// before it is unmapped.
  virtual std::byte* reachHost(std::byte* memory, int64_t bytes) = 0;
  virtual void leaveHost(std::byte* memory) noexcept = 0;
  /// Not freed before the process ends.
  virtual void abandon(std::byte*) noexcept {}
  /// To device memory; done on return. For set-up only.
  virtual void write(std::byte* to, const void* from, int64_t bytes) = 0;
  virtual void read(void* to, const std::byte* from, int64_t bytes) = 0;
  /// From device memory to device memory, by a kernel of this GPU, as exchanges write to peers; done on return.
  virtual void store(std::byte* to, const std::byte* from, int64_t bytes) = 0;

  /// How another process maps an allocation: its base only.
  using Handle = std::array<std::byte, 64>;
  virtual Handle exportMemory(std::byte* base) = 0;
  virtual std::byte* openMemory(const Handle& handle) = 0;
  virtual void closeMemory(std::byte* memory) noexcept = 0;
  /// Memory of another of this process's runtimes: makes it reachable from this GPU.
  virtual void reach(std::byte* memory) = 0;

  /// Memory by cuMemMap has no handle: each mapping has a descriptor. exportMapping: of the one that begins there.
  virtual UniqueFd exportMapping(std::byte* base) = 0;
  /// Address space for mappings, empty at first.
  virtual std::byte* reserve(int64_t bytes) = 0;
  virtual void unreserve(std::byte* base, int64_t bytes) noexcept = 0;
  /// Puts what the descriptor stands for into reserved address space, for this GPU to read and write.
  virtual void map(std::byte* at, int64_t bytes, int fd) = 0;
  virtual void unmap(std::byte* at, int64_t bytes) noexcept = 0;
  /// Whole mappings side by side of another of this process's runtimes: makes them reachable from this GPU.
  virtual void reachMappings(std::byte* base, int64_t bytes) = 0;

  /// Of the GPU, the same in every process whatever its ordinal there.
  virtual std::array<std::byte, 16> deviceId() = 0;

  /// How many thread blocks of an exchange may run at once, with sums or without.
  virtual int residentBlocks(bool sums) = 0;
  /// Enqueues the exchange on the stream.
  virtual void launch(const device::Arguments& call, int blocks, void* stream) = 0;
  /// The same for copies within the GPU.
  virtual void launchCopies(const device::ShardCopies& copies, int blocks, void* stream) = 0;
  /// Enqueues a step of handing a call to this rank's host.
  virtual void launchHandover(const device::HandoverCall& call, void* stream) = 0;
  /// Enqueues a copy from device memory to device memory, for copy engines.
  virtual void copy(std::byte* to, const std::byte* from, const PitchedShape& shape, void* stream) = 0;
  /// Waits until nothing that was launched runs any more.
  virtual void finish() noexcept = 0;
  /// Makes a word that is 0 another number, soon, whatever kernels run. From any thread.
  virtual void raise(uint32_t* word) noexcept = 0;
};

/// "memory of GPU 1", "managed memory".
std::string textOf(const DeviceRuntime::Memory& memory);

/// Where memory that is to be registered lies: in one allocation, or in mappings side by side.
struct Registrable {
  std::vector<DeviceRuntime::Allocation> parts;
  bool isMapped = false;  // by cuMemMap
};
/// Throws InvalidArgument when the memory is not all this GPU's, or another GPU is current.
Registrable requireRegistrable(DeviceRuntime& runtime, std::byte* memory, int64_t bytes);

/// The GPU that is current to this thread; it must be so at every later use, but for those that end something. Throws
/// NotSupported where the library was built without CUDA, or finds no driver or no GPU.
std::unique_ptr<DeviceRuntime> makeDeviceRuntime();

/// What a pointer is to. Does not make this process one that uses CUDA.
MemoryKind memoryKindOf(const void* pointer) noexcept;

/// Memory of the GPU that is current to this thread, zeroed, in an allocation that nothing else is in, so that sharing
/// it shares nothing else. Throws OutOfMemory, NotSupported, SystemError. freeDeviceMemory: whatever GPU is current;
/// throws SystemError.
std::byte* allocateDeviceMemory(int64_t bytes);
void freeDeviceMemory(std::byte* memory);

/// Memory of a runtime, freed with it.
class DeviceMemory {
 public:
  DeviceMemory() : data_(nullptr, Free{nullptr}) {}
  DeviceMemory(DeviceRuntime& runtime, std::byte* data) : data_(data, Free{&runtime}) {}
  std::byte* data() const { return data_.get(); }
  std::byte* release() { return data_.release(); }
  void abandon() {
    if (data_) data_.get_deleter().runtime->abandon(data_.get());
    static_cast<void>(data_.release());
  }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    DeviceRuntime* runtime;
    void operator()(std::byte* memory) const { runtime->free(memory); }
  };
  std::unique_ptr<std::byte, Free> data_;
};

/// A copy of an array in device memory.
template <typename Array>
DeviceMemory upload(DeviceRuntime& runtime, const Array& array) {
  const auto bytes = static_cast<int64_t>(std::size(array) * sizeof(*std::data(array)));
  if (bytes == 0) return {};
  DeviceMemory memory(runtime, runtime.allocate(bytes));
  runtime.write(memory.data(), std::data(array), bytes);
  return memory;
}

}  // namespace ulysses
