// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Ranks tell each other what is no tensor, by the library's own exchanges: over every path, with its deadlines.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "ulysses_coll.h"

namespace ulysses::perf {

// Throws RunError naming the call when it did not succeed. comm: whose error text; nullptr: the thread's.
void requireSuccess(const char* call, ulyssesResult_t result, ulyssesComm_t comm);

// `bytes` of every rank at every rank, in all[0..nRanks * bytes). Called by all.
void allGatherBytes(ulyssesComm_t comm, int nRanks, const void* own, int64_t bytes, void* all);

template <typename Record>
std::vector<Record> allGather(ulyssesComm_t comm, int nRanks, const Record& own) {
  static_assert(std::is_trivially_copyable_v<Record>);
  std::vector<Record> all(static_cast<size_t>(nRanks));
  allGatherBytes(comm, nRanks, &own, sizeof own, all.data());
  return all;
}

// The texts of all ranks, of any lengths, at rank 0; elsewhere nothing. Called by all.
std::vector<std::string> gatherTexts(ulyssesComm_t comm, int nRanks, int rank, const std::string& own);

}  // namespace ulysses::perf
