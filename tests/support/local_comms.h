// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "support/schedule.h"

namespace ulysses::test {

/// All communicators of a run, all ranks in this process. byRank()[r] is what rank r holds.
class LocalComms {
 public:
  explicit LocalComms(const RunOptions& options);
  LocalComms(const LocalComms&) = delete;
  LocalComms& operator=(const LocalComms&) = delete;
  ~LocalComms();

  const std::vector<CommTable>& byRank() const { return byRank_; }

 private:
  std::vector<CommTable> byRank_;
};

}  // namespace ulysses::test
