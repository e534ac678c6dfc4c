// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <algorithm>

#include "base/check.h"

namespace ulysses {
namespace {

/// Calls fn(box) for what goes from one rank to another.
template <typename Fn>
void forEachTransfer(const Plan& plan, int source, int destination, Fn&& fn) {
  const bool scatter = plan.operation() == Operation::ScatterHeads;
  for (int32_t t = 0; t < std::ssize(plan.tensors()); ++t) {
    const TensorSpec& tensor = plan.tensors()[static_cast<size_t>(t)];
    forEachBox(plan.geometry(), plan.distribution(), t, tensor.kind, tensor.sum, scatter ? source : destination,
               scatter ? destination : source, fn);
  }
}

}  // namespace

Plan::Plan(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors, int rank)
    : operation_(operation),
      rank_(rank),
      tokens_(geometry.tokens.begin(), geometry.tokens.end()),
      queryHeads_(geometry.queryHeads.begin(), geometry.queryHeads.end()),
      cuSeqlens_(geometry.cuSeqlens.begin(), geometry.cuSeqlens.end()),
      geometry_(geometry),
      tensors_(tensors.begin(), tensors.end()) {
  geometry_.tokens = tokens_;
  geometry_.queryHeads = queryHeads_;
  geometry_.cuSeqlens = cuSeqlens_;
  distribution_ = distribute(geometry_);
  for (size_t i = 0; i < tensors_.size(); ++i)
    requireTensor(operation_, geometry_, distribution_, tensors_[i], static_cast<int>(i), rank_);
  buildSends();
  buildReceives();
  buildSumUnits();
}

void Plan::buildSends() {
  firstSend_.assign(1, 0);
  firstSend_.reserve(static_cast<size_t>(nRanks()) + 1);
  sends_.reserve(tensors_.size() * static_cast<size_t>(nRanks()));
  for (int peer = 0; peer < nRanks(); ++peer) {
    forEachTransfer(*this, rank_, peer, [&](const Box& box) { sends_.push_back(box); });
    firstSend_.push_back(std::ssize(sends_));
  }
}

void Plan::buildReceives() {
  firstReceive_.assign(1, 0);
  firstReceive_.reserve(static_cast<size_t>(nRanks()) + 1);
  receives_.reserve(tensors_.size() * static_cast<size_t>(nRanks()));
  for (int peer = 0; peer < nRanks(); ++peer) {
    forEachTransfer(*this, peer, rank_, [&](const Box& box) {
      receives_.push_back({box, -1});
      bytesReceived_ += boxBytes(box);
    });
    firstReceive_.push_back(std::ssize(receives_));
  }
}

/// A unit is a (tensor, KV head, run of tokens) that more than one rank sends. Sources come in ascending rank order,
/// because receives_ does.
void Plan::buildSumUnits() {
  const int64_t runs = std::ssize(distribution_.tokens.of(rank_));
  std::vector<int32_t> unitOf;
  const auto place = [&](int32_t receive) -> int32_t& {
    const Box& box = receives_[static_cast<size_t>(receive)].box;
    const auto all = distribution_.tokens.of(rank_);
    const auto at =
        std::partition_point(all.begin(), all.end(), [&](const TokenRun& r) { return r.local < box.seqToken; });
    const int64_t run = at - all.begin();
    return unitOf[static_cast<size_t>((box.tensor * geometry_.kvHeads + box.seqGroup) * runs + run)];
  };
  const auto forEachSummand = [&](auto&& fn) {
    for (int peer = 0; peer < nRanks(); ++peer)
      for (int64_t i = firstReceive(peer); i < firstReceive(peer + 1); ++i) {
        const Box& box = receives_[static_cast<size_t>(i)].box;
        const TensorSpec& tensor = tensors_[static_cast<size_t>(box.tensor)];
        if (tensor.sum && isReplicated(distribution_, tensor.kind, box.seqGroup)) fn(peer, static_cast<int32_t>(i));
      }
  };
  bool any = false;
  for (const TensorSpec& tensor : tensors_) any = any || tensor.sum;
  if (!any || distribution_.heads.firstSharedKvHead() < 0) return;
  unitOf.assign(static_cast<size_t>(std::ssize(tensors_) * geometry_.kvHeads * runs), -1);
  forEachSummand([&](int, int32_t receive) {
    int32_t& unit = place(receive);
    if (unit < 0) {
      unit = static_cast<int32_t>(sumUnits_.size());
      sumUnits_.push_back({receives_[static_cast<size_t>(receive)].box, 0, 0});
    }
    ++sumUnits_[static_cast<size_t>(unit)].sourceCount;
    receives_[static_cast<size_t>(receive)].unit = unit;
  });
  int32_t next = 0;
  for (SumUnit& unit : sumUnits_) {
    unit.firstSource = next;
    next += std::exchange(unit.sourceCount, 0);
  }
  sumSources_.resize(static_cast<size_t>(next));
  forEachSummand([&](int peer, int32_t receive) {
    SumUnit& unit = sumUnits_[static_cast<size_t>(receives_[static_cast<size_t>(receive)].unit)];
    const int32_t index = unit.firstSource + unit.sourceCount++;
    sumSources_[static_cast<size_t>(index)] = {peer, receive};
  });
}

View Plan::sourceView(const Box& box) const { return sourceView(box, tensors_[static_cast<size_t>(box.tensor)].input); }

View Plan::sourceView(const Box& box, const Strides& peerInput) const {
  return viewOf(box, sourceSide(), geometry_, tensors_[static_cast<size_t>(box.tensor)], peerInput);
}

View Plan::destinationView(const Box& box) const {
  const TensorSpec& tensor = tensors_[static_cast<size_t>(box.tensor)];
  return viewOf(box, destinationSide(), geometry_, tensor, tensor.output);
}

std::vector<Box> Plan::boxesBetween(int source, int destination) const {
  std::vector<Box> boxes;
  forEachTransfer(*this, source, destination, [&](const Box& box) { boxes.push_back(box); });
  return boxes;
}

int64_t Plan::bytesTo(int peer) const {
  int64_t bytes = 0;
  for (const Box& box : sendsTo(peer)) bytes += boxBytes(box);
  return bytes;
}

int64_t Plan::bytesFrom(int peer) const {
  int64_t bytes = 0;
  for (const Receive& receive : receivesFrom(peer)) bytes += boxBytes(receive.box);
  return bytes;
}

void Plan::bindSource(int source, std::span<const Strides> sourceInput, std::span<Copy> copies) const {
  for (int64_t i = firstReceive(source); i < firstReceive(source + 1); ++i) {
    const Box& box = receives_[static_cast<size_t>(i)].box;
    copies[static_cast<size_t>(i)] =
        makeCopy(box.tensor, sourceView(box, sourceInput[static_cast<size_t>(box.tensor)]), destinationView(box));
  }
}

}  // namespace ulysses
