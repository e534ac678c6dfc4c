// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "support/rank_case.h"
#include "support/rng.h"

namespace ulysses::test {

inline constexpr std::int64_t kMaxOutstanding = 4;

/// A case and its inputs at a fixed address, for RankCase to point to.
struct Prepared {
  explicit Prepared(Case drawn) : run(std::move(drawn)), inputs(inputImages(run)) {}
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  Case run;
  Images inputs;
};

/// A call that failed: which of the cases, and how. text is "" when all went well.
struct CallFailure {
  std::size_t at = 0;
  std::string text;
};

/// One rank's calls for consecutive cases, in a random style: blocking, started and waited for or tested in any order,
/// or some started and the last one blocking. Ranks may differ in style. Returns with all of them complete.
CallFailure issue(const std::vector<RankCase>& cases, ulyssesComm_t comm, Rng* rng);

/// The calls of all ranks from one thread: byRank[r] are the cases of rank r. In a group, or started and tested.
CallFailure issueAllRanks(const std::vector<std::vector<RankCase>>& byRank, const std::vector<ulyssesComm_t>& comms,
                          Rng* rng);

}  // namespace ulysses::test
