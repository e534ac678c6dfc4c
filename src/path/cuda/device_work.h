// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "kernels/device/work.h"
#include "plan/plan.h"

namespace ulysses {

/// Whether ranks read a tensor from the peers' inputs, since replicas of it are summed; others are written to outputs.
bool isPulled(const Plan& plan, size_t tensor);

/// Where a tensor's rows are at the plan's rank, at one end. Segment and offset are the caller's to fill in.
device::TensorPlace placeOf(const Plan& plan, int tensor, bool input);

/// A rank's steps through its output, given its tensor.
device::Steps outputSteps(const Plan& plan, const TensorSpec& tensor, int rank);

/// A plan as the kernels of src/kernels/device take it; made once per geometry.
///
/// Tensors are pushed into the peers' outputs. Those whose replicas are summed are pulled from the peers' inputs, heads
/// that have one replica only included: a rank tells its peers one place of each tensor.
class DeviceWork {
 public:
  /// tilePieces: of 16 bytes, what a thread block takes at a time. Throws NotSupported for rows or boxes beyond what
  /// the kernels count.
  DeviceWork(const Plan& plan, uint32_t tilePieces);

  /// Over this object's memory.
  device::Work work() const;
  bool isPulled(int tensor) const { return pulled_ >> tensor & 1; }

  /// Of this rank's tensor, for its peers: the input of one that is pulled, the output of others. Segment and offset
  /// are the caller's to fill in.
  device::TensorPlace placeOf(const Plan& plan, int tensor) const;

  const std::vector<device::PushBox>& pushes() const { return pushes_; }
  const std::vector<device::SumBox>& sums() const { return sums_; }
  const std::vector<device::SumSource>& sources() const { return sources_; }

 private:
  void addPushes(const Plan& plan, int peer);
  void addSums(const Plan& plan);
  void addSum(const Plan& plan, const Box& box, std::span<const device::SumSource> sources);
  device::Rows rowsOf(const Plan& plan, const Box& box, uint32_t* tiles) const;

  uint32_t tilePieces_;
  uint32_t pulled_ = 0;  // tensors, as bits
  std::vector<device::PushBox> pushes_;
  std::vector<uint32_t> firstPush_, pushTiles_;
  std::vector<device::SumBox> sums_;
  std::vector<device::SumSource> sources_;
  uint32_t sumTiles_ = 0;
};

}  // namespace ulysses
