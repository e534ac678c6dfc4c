// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "support/schedule.h"

namespace ulysses::test {

/// Ranks as processes. They are forked by the constructor, which must run before this process has a thread, and wait
/// for runs. A rank that crashes or hangs is a failure that names its signal.
class ProcessRanks {
 public:
  explicit ProcessRanks(int nRanks);
  ProcessRanks(const ProcessRanks&) = delete;
  ProcessRanks& operator=(const ProcessRanks&) = delete;
  ~ProcessRanks();

  Report run(const RunOptions& options);

  /// Ends the processes. What was wrong about their ends (leaks, say), or "".
  std::string finish();

 private:
  struct Worker {
    pid_t pid;
    int socket;
  };
  void collect(const RunOptions& options, std::size_t rank, Report* whole);
  std::string reap(std::size_t rank);

  std::vector<Worker> workers_;
};

}  // namespace ulysses::test
