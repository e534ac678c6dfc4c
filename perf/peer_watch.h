// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Below a launcher no supervisor watches the ranks: each watches its peers, so that none waits in the tool's own
// barriers for one that is gone, whatever the launcher does.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "options.h"
#include "shared.h"

namespace ulysses::perf {

class PeerWatch {
 public:
  // All ranks' pids are in the area. When a peer ends early the tool's waits end by Abandoned; when nobody gets on for
  // --watchdog seconds, also those in the library, which is aborted.
  PeerWatch(const Options& options, const SharedArea& area, ulyssesComm_t comm);
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;
  ~PeerWatch();

 private:
  void run();
  void lookForEnded();
  void checkProgress();

  const Options& options_;
  const SharedArea& area_;
  ulyssesComm_t comm_;
  std::vector<int> pidFds_;  // by rank; -1: this rank, or one that ended well
  bool abandoned_ = false;
  uint64_t heartbeats_ = 0;
  double lastProgressS_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace ulysses::perf
