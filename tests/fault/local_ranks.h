// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <vector>

#include "ulysses_coll.h"

namespace ulysses::test {

/// All ranks of a communicator in this process, each to be driven by a thread.
class LocalRanks {
 public:
  explicit LocalRanks(int nRanks, int timeoutMs = 2000);
  LocalRanks(const LocalRanks&) = delete;
  LocalRanks& operator=(const LocalRanks&) = delete;
  ~LocalRanks();

  ulyssesComm_t comm(int rank) const { return comms_[static_cast<std::size_t>(rank)]; }
  int size() const { return static_cast<int>(comms_.size()); }
  /// Runs body(rank, comm) in a thread per rank and joins them.
  void run(const std::function<void(int rank, ulyssesComm_t comm)>& body) const;
  /// A verified exchange among all ranks.
  void expectUsable() const;

 private:
  std::vector<ulyssesComm_t> comms_;
};

}  // namespace ulysses::test
