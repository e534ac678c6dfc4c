// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ULYSSES_VERIFY: a rank hashes what each peer will get before it announces an operation, and every rank hashes what
// arrived and compares. Finds bytes that were damaged on their way, and callers that write to an input which the
// library still has.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "exchange/prepared_call.h"

namespace ulysses {

class Mover;
struct Pending;

/// Of the summands that come in chunks, taken while they pass: only their sum stays.
class SummandHashes {
 public:
  explicit SummandHashes(int nRanks) : running_(static_cast<size_t>(nRanks)) {}
  void reset(size_t receives) { done_.assign(receives, 0); }
  /// The next rows of a summand, which arrive in order; `last`: it is whole now.
  void add(const SumSource& source, const std::byte* rows, int64_t bytes, bool last);
  uint64_t of(size_t receive) const { return done_[receive]; }

 private:
  std::vector<HashStream> running_;  // by rank: the one summand of it that is under way
  std::vector<uint64_t> done_;       // by receive
};

/// Which of its kSeals covers the i-th of `boxes` boxes between two ranks.
inline size_t sealOf(size_t i, size_t boxes) { return boxes <= kSeals ? i : i * kSeals / boxes; }

/// Hashes what each rank gets of these inputs, into seals[rank][kSeals].
void sealInputs(const PreparedCall& call, const std::byte* const* inputs, std::vector<uint64_t>& seals);

/// What is wrong with what arrived from a peer, by its seals; nothing when all is as announced.
std::optional<std::string> damageFrom(int peer, const uint64_t* seals, const Pending& operation, const Mover& mover,
                                      const SummandHashes& summands);

}  // namespace ulysses
