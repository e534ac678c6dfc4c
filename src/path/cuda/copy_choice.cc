// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/copy_choice.h"

#include "base/check.h"
#include "path/cuda/device_work.h"

namespace ulysses {
namespace {

using Tensors = std::vector<std::vector<TensorSpec>>;  // [nRanks][nTensors]

/// Of one rank, towards its peers.
class CopyList {
 public:
  CopyList(const Plan& plan, const Tensors& tensors, const CopyLimits& limits)
      : plan_(plan), tensors_(tensors), limits_(limits) {
    for (int step = 1; step < plan.nRanks() && reason_.empty(); ++step) addPeer((plan.rank() + step) % plan.nRanks());
    const auto n = std::ssize(copies_);
    if (reason_.empty() && bytes_ < n * limits.leastBytes)
      reason_ = formatText("rank {} would make {} copies of {} bytes on average, want at least {}", plan.rank(), n,
                           bytes_ / n, limits.leastBytes);
  }

  std::vector<PeerCopy>& copies() { return copies_; }
  const std::string& reason() const { return reason_; }

 private:
  void addPeer(int peer) {
    for (const Box& box : plan_.sendsTo(peer)) {
      const auto t = static_cast<size_t>(box.tensor);
      const TensorSpec& theirs = tensors_[static_cast<size_t>(peer)][t];
      const PitchedCopies pitched(
          makeCopy(box.tensor, plan_.sourceView(box),
                   viewOf(box, plan_.destinationSide(), plan_.geometry(), theirs, theirs.output)));
      if (pitched.count() > limits_.mostCopies - std::ssize(copies_)) {
        reason_ = formatText("rank {} would make more than {} copies, for its layouts of tensors[{}] and others",
                             plan_.rank(), limits_.mostCopies, box.tensor);
        return;
      }
      pitched.forEach([&](int64_t source, int64_t destination) {
        copies_.push_back({peer, box.tensor, source, destination, pitched.shape()});
        bytes_ += pitched.shape().bytes();
      });
    }
  }

  const Plan& plan_;
  const Tensors& tensors_;
  const CopyLimits& limits_;
  std::vector<PeerCopy> copies_;
  int64_t bytes_ = 0;
  std::string reason_;
};

/// "" when every rank has an output of each tensor, and nothing is summed.
std::string reasonOfPlan(const Plan& plan) {
  if (plan.nRanks() == 1) return "there is one rank";
  for (size_t t = 0; t < plan.tensors().size(); ++t) {
    const TensorSpec& tensor = plan.tensors()[t];
    if (isPulled(plan, t)) return formatText("tensors[{}] is summed, which copy engines cannot", t);
    for (int rank = 0; rank < plan.nRanks(); ++rank)
      if (shardShape(plan.geometry(), plan.distribution(), tensor, plan.destinationSide(), rank).empty())
        return formatText("rank {} has no output of tensors[{}], so it knows of none at the others", rank, t);
  }
  return "";
}

CopyChoice chosen(const Plan& plan, const TensorsOf& tensorsOf, const CopyLimits& limits) {
  CopyChoice choice;
  Tensors tensors;
  for (int rank = 0; rank < plan.nRanks(); ++rank) {
    const auto& theirs = tensors.emplace_back(tensorsOf(rank));
    for (const TensorSpec& tensor : theirs) choice.assumed.push_back(outputSteps(plan, tensor, rank));
  }
  for (int rank = 0; rank < plan.nRanks(); ++rank) {
    const Plan theirs(plan.operation(), plan.geometry(), tensors[static_cast<size_t>(rank)], rank);
    CopyList list(theirs, tensors, limits);
    if (!list.reason().empty()) return {.copies = {}, .assumed = {}, .reason = list.reason()};
    if (rank == plan.rank()) choice.copies = std::move(list.copies());
  }
  return choice;
}

}  // namespace

CopyChoice chooseCopies(const Plan& plan, const TensorsOf& tensorsOf, const CopyLimits& limits) {
  if (std::string reason = reasonOfPlan(plan); !reason.empty())
    return {.copies = {}, .assumed = {}, .reason = std::move(reason)};
  try {
    return chosen(plan, tensorsOf, limits);
  } catch (const Error& error) {
    return {
        .copies = {}, .assumed = {}, .reason = formatText("another rank cannot have these layouts: {}", error.what())};
  }
}

}  // namespace ulysses
