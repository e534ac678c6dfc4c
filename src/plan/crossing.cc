// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/crossing.h"

#include <algorithm>
#include <set>

namespace ulysses {
namespace {

// What a message and a byte cost whoever handles them: docs/algorithms.md says where these are from.
constexpr int64_t kNetworkMessageNs = 2000, kWindowMessageNs = 300, kBytesPassedOnPerNs = 4;

/// Bytes that one rank has for another, in the mean. In floating point, as sizes may be beyond reason.
double meanBytes(const Plan& plan) {
  const Distribution& d = plan.distribution();
  const auto nRanks = static_cast<double>(plan.nRanks());
  double perToken = 0;
  for (const TensorSpec& tensor : plan.tensors())
    for (const Range& heads : d.heads.of(tensor.kind))
      perToken += static_cast<double>(heads.count) * static_cast<double>(tensor.rowBytes());
  const double rows = static_cast<double>(plan.geometry().sequence) * static_cast<double>(plan.geometry().batch);
  return rows / nRanks * perToken / nRanks;
}

bool addsSharedHeads(const Plan& plan) {
  return plan.operation() == Operation::GatherHeads && plan.distribution().heads.firstSharedKvHead() >= 0 &&
         std::ranges::any_of(plan.tensors(), &TensorSpec::sum);
}

}  // namespace

CrossingPrices priceCrossings(const Plan& plan, std::span<const int> hosts) {
  const auto nRanks = static_cast<int64_t>(plan.nRanks());
  const auto nHosts = static_cast<int64_t>(std::set<int>(hosts.begin(), hosts.end()).size());
  const int64_t ranksPerHost = (nRanks + nHosts - 1) / nHosts, remote = nRanks - ranksPerHost;
  // Of what comes to a host, one part in ranksPerHost is for the rank that it comes to.
  const double foreign = meanBytes(plan) * static_cast<double>(remote);
  const double passedOn = foreign / static_cast<double>(ranksPerHost) * static_cast<double>(ranksPerHost - 1);
  constexpr double kMost = 1e15;
  return {.heads = remote * kNetworkMessageNs,
          .joined = (nHosts - 1) * kNetworkMessageNs + (ranksPerHost - 1) * kWindowMessageNs +
                    static_cast<int64_t>(std::min(passedOn, kMost)) / kBytesPassedOnPerNs};
}

Crossing chooseCrossing(const Plan& plan, std::span<const int> hosts, Crossing wanted) {
  if (addsSharedHeads(plan)) return Crossing::Heads;
  if (wanted != Crossing::Auto) return wanted;
  const CrossingPrices prices = priceCrossings(plan, hosts);
  return prices.joined < prices.heads ? Crossing::Joined : Crossing::Heads;
}

}  // namespace ulysses
