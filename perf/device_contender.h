// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A contender whose tensors are in a GPU's memory: filled and verified through copies in host memory, timed by the
// stream's clock.
#pragma once

#include <vector>

#include "contender.h"
#include "device.h"
#include "device_arena.h"

namespace ulysses::perf {

class DeviceContender : public Contender {
 public:
  // The pieces of the arena begin with the inputs, then the outputs, by tensor.
  DeviceContender(const Case& test, int rank, Device& device, std::vector<int64_t> sizes)
      : Contender(test, rank), device_(device), arena_(device, std::move(sizes)) {}

  void fill(uint64_t seed) const override;
  void poisonOutputs() override;
  int64_t countWrong(uint64_t seed) const override;
  int64_t damagedGuardBytes() const override;
  void rewriteInputs() const override;
  void readOutputs() const override;

  void startClock() override { device_.startClock(); }
  double stopClockUs() override { return device_.stopClockUs(); }
  void finish() override { device_.finish(); }

 protected:
  int input(int tensor) const { return tensor; }
  int output(int tensor) const { return test_.nTensors() + tensor; }

  Device& device_;
  DeviceArena arena_;
};

}  // namespace ulysses::perf
