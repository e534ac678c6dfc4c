// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How what goes between hosts gets there: from rank to rank, or by way of ranks that pass it on.
#pragma once
#include <cstdint>
#include <span>

#include "plan/plan.h"

namespace ulysses {

enum class Crossing : int32_t {
  Heads,   // each rank sends each other what is for it, but a KV head that ranks of a host share crosses once
  Flat,    // so too, without that exception
  Joined,  // Heads, and all that a rank has for another host is one message
  Auto,    // Heads or Joined, by their prices
};

/// What Heads and Joined cost a rank beyond what both do, in nanoseconds of a mean rank.
struct CrossingPrices {
  int64_t heads = 0, joined = 0;
};
CrossingPrices priceCrossings(const Plan& plan, std::span<const int> hosts);

/// Heads or Joined: `wanted` where that can be, else the cheaper. The same at every rank of a call: a function of what
/// all ranks agree on, compared in whole numbers. Joined cannot be where partial sums of a KV head may wait for each
/// other.
Crossing chooseCrossing(const Plan& plan, std::span<const int> hosts, Crossing wanted);

}  // namespace ulysses
