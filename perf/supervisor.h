// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Starts the rank processes and the MPI helper, and ends everything with the reason when one of them fails. Whatever
// happens to the tool itself, kill -9 included, its children end with it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "options.h"
#include "shared.h"

namespace ulysses::perf {

class Supervisor {
 public:
  Supervisor(const Options& options, SharedArea& area);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();  // kills what still runs

  // Fork all ranks; each runs body and ends. Call while this process has a single thread: afterwards the rendezvous of
  // ulyssesGetUniqueId has its own.
  void forkRanks(const std::function<void(int rank)>& body);

  // Start the helper's ranks under mpirun and wait until all are up. On failure nothing is left running and the reason,
  // with a remedy, is returned; empty: they are up.
  std::string startMpi(const std::vector<std::string>& command);

  // Serve events until every child has ended well. Throws RunError with the cause when one does not.
  void watch(const std::function<void()>& onCaseDone, const std::function<void()>& onTick);

  int caseDoneFd() const { return caseDoneFd_; }  // a rank writes a uint64_t 1 to it

 private:
  struct Child {
    pid_t pid;
    int rank;  // -1: mpirun
    bool ended = false;
    int status = 0;
  };

  bool reap();  // true: a child ended badly
  bool allEnded() const;
  void handleSignals();
  void checkProgress();  // the watchdog
  [[noreturn]] void failWithCause();
  std::string describe(const Child& child) const;
  std::string mpiOutput() const;
  void killAll();

  const Options& options_;
  SharedArea& area_;
  int signalFd_, caseDoneFd_, mpiOutputFd_ = -1;
  std::vector<Child> children_;
  uint64_t heartbeats_ = 0;
  double lastProgressS_ = 0;
};

}  // namespace ulysses::perf
