// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstring>
#include <new>

#include "device.h"

namespace ulysses::perf {

/// A GPU of the tools that is the CPU: what is enqueued is done at once, a pass by the arithmetic of the kernel. All
/// ranks are in this process, so a handle is an address.
class CpuDevice : public Device {
 public:
  std::string name() const override { return "the CPU"; }
  std::byte* allocate(int64_t bytes) override {
    ++held;
    return static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment));
  }
  void free(std::byte* memory) noexcept override {
    --held;
    ::operator delete(memory, kAlignment);
  }
  void upload(std::byte* to, const void* from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  void download(void* to, const std::byte* from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  Handle exportMemory(std::byte* start) override {
    Handle handle{};
    std::memcpy(handle.data(), &start, sizeof(start));
    return handle;
  }
  std::byte* openMemory(const Handle& handle) override {
    ++opened;
    std::byte* start = nullptr;
    std::memcpy(&start, handle.data(), sizeof(start));
    return start;
  }
  void closeMemory(std::byte*) noexcept override { --opened; }

  void* stream() override { return nullptr; }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  void copyStrided(std::byte* to, const std::byte* from, const StridedPass& pass) override {
    ++passes;
    for (uint32_t tile = 0; tile < pass.tiles; ++tile) {
      const StridedBox& box = pass.boxes[boxOf(pass.boxes, pass.nBoxes, tile)];
      const uint32_t first = (tile - box.firstTile) * kTileUnits;
      for (uint32_t unit = first; unit < std::min(first + kTileUnits, box.units); ++unit) {
        const Place place = placeOf(box, unit, pass.unitBytes);
        std::memcpy(to + place.target, from + place.source, static_cast<size_t>(pass.unitBytes));
      }
    }
  }
  void rewrite(std::byte*, int64_t) override {}
  void readAll(const std::byte*, int64_t) override {}

  void startClock() override { start_ = std::chrono::steady_clock::now(); }
  double stopClockUs() override {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
  }
  void finish() override {}

  int held = 0, opened = 0, passes = 0;

 private:
  static constexpr std::align_val_t kAlignment{256};
  std::chrono::steady_clock::time_point start_;
};

}  // namespace ulysses::perf
