// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "exchange/flight_recorder.h"
#include "path/cuda/device_call.h"
#include "path/record.h"
#include "plan/streams.h"

namespace ulysses {

/// A plan made ready to run again and again: what is announced of it, and what was learnt of the peers' strides. Kept
/// by the communicator's cache; used by one operation at a time or several.
class PreparedCall {
 public:
  /// Throws Error. `recordId`: unique within the communicator, never 0. `hosts`: see Streams; `crossing` between them
  /// is what is wanted, see chooseCrossing.
  PreparedCall(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors, int rank,
               uint64_t recordId, std::span<const int> hosts = {}, Crossing crossing = Crossing::Heads);

  const Plan& plan() const { return plan_; }
  const Streams& streams() const { return streams_; }
  const CallRecord& record() const { return record_; }
  uint64_t recordId() const { return recordId_; }
  uint64_t callHash() const { return callHash_; }
  uint64_t strideHash() const { return strideHash_; }
  const CallSummary& summary() const { return summary_; }
  int nTensors() const { return static_cast<int>(plan_.tensors().size()); }

  const Extent& inputExtent(int tensor) const { return peerExtent(plan_.rank(), tensor); }
  const Extent& outputExtent(int tensor) const { return outputExtents_[static_cast<size_t>(tensor)]; }
  Shape shape(Side side, int tensor) const;

  bool isBound(int peer, uint64_t strideHash) const { return boundHash_[static_cast<size_t>(peer)] == strideHash; }
  /// Learns a peer's input strides when they are not those of last time. Allocates nothing.
  void bind(int peer, uint64_t strideHash, const CallRecord& record);
  /// After peers were bound: which copies are to be made row by row. Once for all of them, as it looks at all.
  void findInterleaved();
  const Extent& peerExtent(int peer, int tensor) const {
    return extents_[static_cast<size_t>(peer) * plan_.tensors().size() + static_cast<size_t>(tensor)];
  }
  /// Copies from a peer, aligned with Plan::receivesFrom; bound first.
  std::span<const Copy> copiesFrom(int peer) const {
    return std::span(copies_).subspan(static_cast<size_t>(plan_.firstReceive(peer)), plan_.receivesFrom(peer).size());
  }
  /// Whether what each rank sends at that place of its list goes into the same output rows, a piece from every rank:
  /// such copies are made row by row, not rank by rank. Of the bound strides.
  bool interleaves(size_t place) const { return place < interleaved_.size() && interleaved_[place]; }
  size_t interleavedPlaces() const { return interleaved_.size(); }
  /// The source end of a received box by the peer's strides; bound first.
  View peerView(int peer, const Box& box) const {
    return plan_.sourceView(
        box, strides_[static_cast<size_t>(peer) * plan_.tensors().size() + static_cast<size_t>(box.tensor)]);
  }

  int pins = 0;  // operations that use it; the cache drops only unpinned ones

  std::unique_ptr<DeviceCall> device;  // once it was used with device tensors
  bool sawMemory = false;              // whether it was looked at what kind of memory its tensors are in

 private:
  void fillRecord();
  void fillSummary();
  bool meetInRows(size_t place) const;

  Plan plan_;
  Streams streams_;
  CallSummary summary_;
  CallRecord record_;
  uint64_t recordId_, callHash_ = 0, strideHash_ = 0;
  std::vector<Extent> outputExtents_;
  std::vector<uint64_t> boundHash_;  // [nRanks]
  std::vector<Strides> strides_;     // [nRanks][nTensors]
  std::vector<Extent> extents_;      // [nRanks][nTensors]
  std::vector<Copy> copies_;         // as Plan::receives()
  std::vector<char> interleaved_;    // by place in every rank's list; empty when the lists differ in length
};

}  // namespace ulysses
