// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>

#include "path/cuda/copy_choice.h"
#include "path/cuda/device_work.h"
#include "path/cuda/plan_memory.h"

namespace ulysses {

/// A plan ready to be launched again and again: its work in device memory, and what is said of its tensors whatever
/// their pointers. The plan and the memory must outlive it; it may be dropped while it is launched, but not while a
/// graph has it.
class DeviceCall {
 public:
  /// `choice`: what copy engines do when the outputs are in windows.
  DeviceCall(PlanMemory& memory, const Plan& plan, uint64_t callHash, uint32_t tilePieces, CopyChoice choice = {});

  const Plan& plan() const { return plan_; }
  bool isPulled(int tensor) const { return work_.isPulled(tensor); }
  /// What there is to do for thread blocks: more of them would only wait.
  uint32_t tiles() const { return tiles_; }
  /// The same of what this rank has for itself.
  uint32_t ownTiles() const { return ownTiles_; }
  std::span<const PeerCopy> copies() const { return choice_.copies; }
  const device::Steps* assumed() const { return assumed_; }
  /// All but what is of a rank or of one launch: rank, boards, segments, report, pointers, segments and offsets of
  /// places.
  const device::Arguments& arguments() const { return arguments_; }

 private:
  const Plan& plan_;
  DeviceWork work_;
  CopyChoice choice_;
  uint32_t tiles_ = 0, ownTiles_ = 0;
  PlanMemory::Block memory_;
  const device::Steps* assumed_ = nullptr;
  device::Arguments arguments_;
};

}  // namespace ulysses
