// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <string>
#include <vector>

#include "plan/copy.h"
#include "plan/extent.h"

namespace ulysses {

/// A partial sum that one source contributes to a SumUnit.
struct SumSource {
  int32_t rank;
  int32_t receive;  // index of its box in Plan::receive()
};

/// One KV head of one run of tokens, whose value is the sum over the ranks that shared the head, in ascending rank
/// order.
struct SumUnit {
  Box box;
  int32_t firstSource, sourceCount;  // into Plan::sumSources()
};

/// A box that comes from a peer; `unit` >= 0 when it is one summand of that SumUnit.
struct Receive {
  Box box;
  int32_t unit = -1;
};

/// The whole of one collective at one rank: for each peer the boxes that go and come, in canonical order. A value;
/// knows nothing of the peers' strides (see bindSource) nor of memory.
class Plan {
 public:
  /// Throws InvalidArgument when the geometry or a tensor cannot be.
  Plan(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors, int rank);
  Plan(const Plan&) = delete;  // geometry_'s spans point into the plan
  Plan& operator=(const Plan&) = delete;

  Operation operation() const { return operation_; }
  int rank() const { return rank_; }
  int nRanks() const { return geometry_.nRanks; }
  const Geometry& geometry() const { return geometry_; }
  const Distribution& distribution() const { return distribution_; }
  std::span<const TensorSpec> tensors() const { return tensors_; }

  std::span<const Box> sendsTo(int peer) const { return slice(sends_, firstSend_, peer); }
  std::span<const Receive> receivesFrom(int peer) const { return slice(receives_, firstReceive_, peer); }
  int64_t firstReceive(int peer) const { return firstReceive_[static_cast<size_t>(peer)]; }
  std::span<const Receive> receives() const { return receives_; }
  std::span<const SumUnit> sumUnits() const { return sumUnits_; }
  std::span<const SumSource> sumSources(const SumUnit& unit) const {
    return std::span(sumSources_).subspan(static_cast<size_t>(unit.firstSource), static_cast<size_t>(unit.sourceCount));
  }

  /// The shard a sender reads and the one a receiver writes.
  Side sourceSide() const { return operation_ == Operation::ScatterHeads ? Side::SequenceShard : Side::HeadShard; }
  Side destinationSide() const { return operation_ == Operation::ScatterHeads ? Side::HeadShard : Side::SequenceShard; }

  /// One end of a box at this rank.
  View sourceView(const Box& box) const;
  View destinationView(const Box& box) const;
  /// The source end of a box at another rank, by that rank's input strides.
  View sourceView(const Box& box, const Strides& peerInput) const;

  int64_t boxBytes(const Box& box) const {
    return box.rows(geometry_.batch) * tensors_[static_cast<size_t>(box.tensor)].rowBytes();
  }
  /// What goes from one rank to another, in canonical order, also where this rank is neither.
  std::vector<Box> boxesBetween(int source, int destination) const;
  int64_t bytesTo(int peer) const;
  int64_t bytesFrom(int peer) const;
  /// Bytes this rank receives in all, its own share included.
  int64_t bytesReceived() const { return bytesReceived_; }

  /// Fills copies[i] for each plain box from `source` (copies is indexed like receives()), given its input strides.
  void bindSource(int source, std::span<const Strides> sourceInput, std::span<Copy> copies) const;

 private:
  template <typename T>
  static std::span<const T> slice(const std::vector<T>& all, const std::vector<int64_t>& first, int peer) {
    const size_t p = static_cast<size_t>(peer);
    return std::span(all).subspan(static_cast<size_t>(first[p]), static_cast<size_t>(first[p + 1] - first[p]));
  }
  void buildSends();
  void buildReceives();
  void buildSumUnits();

  Operation operation_;
  int rank_;
  std::vector<int64_t> tokens_, queryHeads_, cuSeqlens_;  // what geometry_'s spans show
  Geometry geometry_;
  std::vector<TensorSpec> tensors_;
  Distribution distribution_;
  std::vector<Box> sends_;
  std::vector<Receive> receives_;
  std::vector<int64_t> firstSend_, firstReceive_;  // [nRanks + 1]
  std::vector<SumUnit> sumUnits_;
  std::vector<SumSource> sumSources_;
  int64_t bytesReceived_ = 0;
};

/// Shape of a tensor's shard on one side at one rank.
Shape shardShape(const Geometry& geometry, const Distribution& distribution, const TensorSpec& tensor, Side side,
                 int rank);

/// Throws InvalidArgument when the bytes of a shard do not fit 64 bits, strides aside.
void requireCountable(const Geometry& geometry, const Distribution& distribution, const TensorSpec& tensor, int index,
                      int rank);

/// Checks one tensor of an exchange against the geometry, pointers aside; `index` names it in texts.
void requireTensor(Operation operation, const Geometry& geometry, const Distribution& distribution,
                   const TensorSpec& tensor, int index, int rank);

/// The readable plan: who holds what, and each transfer as strided copies.
std::string explain(const Plan& plan);

}  // namespace ulysses
