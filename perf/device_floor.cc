// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "compare_device.h"
#include "device_arena.h"

namespace ulysses::perf {
namespace {

enum Piece { kFrom, kTo };

// Bytes as many as the rank receives, without a place in any tensor.
class DeviceFloor : public Contender {
 public:
  DeviceFloor(const Case& test, int rank, Device& device)
      : Contender(test, rank), device_(device), arena_(device, {test.receivedBytes(rank), test.receivedBytes(rank)}) {}

  void exchange() override { device_.copy(arena_.data(kTo), arena_.data(kFrom), arena_.size(kTo)); }
  void finish() override { device_.finish(); }
  void startClock() override { device_.startClock(); }
  double stopClockUs() override { return device_.stopClockUs(); }

  void fill(uint64_t seed) const override {
    const Buffer values = Buffer::plain(arena_.size(kFrom));
    std::generate_n(values.data(), values.bytes(), [value = seed]() mutable {
      value = value * 6364136223846793005u + 1442695040888963407u;
      return static_cast<std::byte>(value >> 56);
    });
    arena_.upload(kFrom, values);
  }
  void poisonOutputs() override {
    Buffer values = Buffer::plain(arena_.size(kTo));
    values.poison();
    arena_.upload(kTo, values);
  }
  int64_t countWrong(uint64_t) const override {
    const Buffer from = arena_.download(kFrom), to = arena_.download(kTo);
    int64_t wrong = 0;
    for (int64_t i = 0; i < to.bytes(); i += test_.type->bytes)
      wrong += !std::equal(to.data() + i, to.data() + i + test_.type->bytes, from.data() + i);
    return wrong;
  }
  int64_t damagedGuardBytes() const override {
    return arena_.download(kFrom).damagedGuardBytes() + arena_.download(kTo).damagedGuardBytes();
  }
  void rewriteInputs() const override { device_.rewrite(arena_.data(kFrom), arena_.size(kFrom)); }
  void readOutputs() const override { device_.readAll(arena_.data(kTo), arena_.size(kTo)); }

 private:
  Device& device_;
  DeviceArena arena_;
};

}  // namespace

std::unique_ptr<Contender> makeDeviceFloor(const Case& test, int rank, Device& device) {
  return std::make_unique<DeviceFloor>(test, rank, device);
}

}  // namespace ulysses::perf
