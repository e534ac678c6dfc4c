// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "path/cuda/device_call.h"

#include <numeric>
#include <span>

namespace ulysses {

DeviceCall::DeviceCall(DeviceRuntime& runtime, const Plan& plan, uint64_t callHash, uint32_t tilePieces,
                       CopyChoice choice)
    : plan_(plan), work_(plan, tilePieces), choice_(std::move(choice)), assumed_(upload(runtime, choice_.assumed)) {
  const device::Work host = work_.work();
  const auto n = static_cast<size_t>(plan.nRanks());
  tiles_ = std::accumulate(host.pushTiles, host.pushTiles + n, host.sumTiles);
  ownTiles_ = host.pushTiles[plan.rank()];
  pushes_ = upload(runtime, work_.pushes());
  firstPush_ = upload(runtime, std::span(host.firstPush, n + 1));
  pushTiles_ = upload(runtime, std::span(host.pushTiles, n));
  sums_ = upload(runtime, work_.sums());
  sources_ = upload(runtime, work_.sources());
  device::Work& work = arguments_.work = host;
  work.pushes = pushes_.as<device::PushBox>();
  work.firstPush = firstPush_.as<uint32_t>();
  work.pushTiles = pushTiles_.as<uint32_t>();
  work.sums = sums_.as<device::SumBox>();
  work.sources = sources_.as<device::SumSource>();
  arguments_.nRanks = plan.nRanks();
  arguments_.nTensors = static_cast<int32_t>(plan.tensors().size());
  arguments_.letter.callHash = callHash;
  for (int t = 0; t < arguments_.nTensors; ++t) arguments_.letter.tensors[t] = work_.placeOf(plan, t);
}

}  // namespace ulysses
