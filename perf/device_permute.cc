// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "compare_device.h"
#include "device_contender.h"
#include "permute_plan.h"

namespace ulysses::perf {
namespace {

PermutePlan planOf(const Case& test, int rank) {
  std::vector<std::vector<int64_t>> offsets;
  offsets.reserve(static_cast<size_t>(test.ranks));
  for (int peer = 0; peer < test.ranks; ++peer) offsets.push_back(DeviceArena::offsetsOf(permuteSizesOf(test, peer)));
  return planPermute(test, rank, offsets);
}

// Boxes where the GPU reads them.
class UploadedPass {
 public:
  UploadedPass(Device& device, const BoxList& list) : device_(device) {
    if (list.boxes.empty()) return;
    const auto bytes = static_cast<int64_t>(list.boxes.size() * sizeof(StridedBox));
    memory_ = device.allocate(bytes);
    device.upload(memory_, list.boxes.data(), bytes);
    pass_ = {reinterpret_cast<const StridedBox*>(memory_), static_cast<uint32_t>(list.boxes.size()), list.tiles,
             list.unitBytes};
  }
  UploadedPass(const UploadedPass&) = delete;
  UploadedPass& operator=(const UploadedPass&) = delete;
  ~UploadedPass() {
    if (memory_ != nullptr) device_.free(memory_);
  }

  bool isEmpty() const { return pass_.tiles == 0; }
  void enqueue(std::byte* arena) const {
    if (!isEmpty()) device_.copyStrided(arena, arena, pass_);
  }

 private:
  Device& device_;
  std::byte* memory_ = nullptr;
  StridedPass pass_;
};

// Ranks meet at the tool's barrier with their streams idle: nothing of another process orders two streams.
class DevicePermute : public DeviceContender {
 public:
  DevicePermute(const Case& test, int rank, Device& device, const SharedStorage& storage, Barrier& barrier)
      : DeviceContender(test, rank, device, permuteSizesOf(test, rank)),
        barrier_(barrier),
        plan_(planOf(test, rank)),
        pack_(device, plan_.pack),
        unpack_(device, plan_.unpack) {
    const Device::Handle own = device.exportMemory(arena_.start());
    std::memcpy(storage.stripe(rank), own.data(), own.size());
    barrier_.wait();  // every handle is there
    for (int peer = 0; peer < test.ranks; ++peer)
      arenas_.push_back(peer == rank ? arena_.start() : open(storage, peer));
    barrier_.wait();  // and was read
  }
  ~DevicePermute() override { closeAll(); }

  void exchange() override {
    pack_.enqueue(arena_.start());
    if (!pack_.isEmpty()) device_.finish();
    barrier_.wait();  // every block is ready
    for (const BlockCopy& copy : plan_.copies)
      device_.copy(arena_.start() + copy.target, arenas_[static_cast<size_t>(copy.peer)] + copy.source, copy.bytes);
    device_.finish();
    barrier_.wait();  // every peer has read this rank's blocks
    unpack_.enqueue(arena_.start());
  }

  void release() override { closeAll(); }

 private:
  std::byte* open(const SharedStorage& storage, int peer) {
    Device::Handle handle;
    std::memcpy(handle.data(), storage.stripe(peer), handle.size());
    return device_.openMemory(handle);
  }
  void closeAll() {
    for (std::byte* const arena : arenas_)
      if (arena != arena_.start()) device_.closeMemory(arena);
    arenas_.clear();
  }

  Barrier& barrier_;
  PermutePlan plan_;
  UploadedPass pack_, unpack_;
  std::vector<std::byte*> arenas_;  // by rank
};

}  // namespace

int64_t devicePermuteStripeBytes() { return sizeof(Device::Handle); }

std::unique_ptr<Contender> makeDevicePermute(const Case& test, int rank, Device& device, const SharedStorage& storage,
                                             Barrier& barrier) {
  return std::make_unique<DevicePermute>(test, rank, device, storage, barrier);
}

}  // namespace ulysses::perf
