// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which cases a run has, and the communicators they need. All ranks work this out alone and agree.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/random_case.h"
#include "ulysses_coll.h"

namespace ulysses::test {

/// Plain data: it goes through a pipe to processes forked from this one.
struct RunOptions {
  Profile profile = Profile::Any;
  std::uint64_t seed = 1;
  std::int64_t first = 0;  // index of the first case
  std::int64_t count = 1;
  int minRanks = 1;
  int maxRanks = 16;
  bool adjoint = false;  // of each case, its adjoint: what is gathered instead of scattered
};

/// Consecutive cases share a communicator, so that its plan cache, slots and segments are used again and again.
inline constexpr std::int64_t kBlockCases = 16;

struct CommKey {
  int nRanks;
  int variant;  // 0: defaults, 1: small windows and plan cache, 2: progress thread
  auto operator<=>(const CommKey&) const = default;
};
using CommTable = std::map<CommKey, ulyssesComm_t>;

/// The communicator of a case, and with it the number of ranks.
CommKey commOf(const RunOptions& options, std::int64_t index);
std::set<CommKey> commsOf(const RunOptions& options);
ulyssesConfig_t configOf(const CommKey& key);

/// The case at an index of the run.
Case caseOf(const RunOptions& options, std::int64_t index);

/// What a run (of one rank, or of all) came to.
struct Report {
  std::int64_t cases = 0;
  std::vector<std::string> failures;
};

/// Failures kept per rank; more say nothing new.
inline constexpr std::size_t kMaxFailures = 3;

/// What failed, where, the case in full, and how to run it alone.
std::string failureText(const RunOptions& options, const Case& run, const std::string& mode, const std::string& what);

/// Result and error text of a failed call. comm may be null.
std::string callText(const char* call, ulyssesResult_t result, ulyssesComm_t comm);

}  // namespace ulysses::test
