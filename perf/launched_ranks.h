// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The ranks of a launcher, before and beside what they measure: one communicator, and the memory of the tool.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apart.h"
#include "gather.h"
#include "options.h"
#include "shared.h"
#include "shared_tensors.h"

namespace ulysses::perf {

// The communicator of all ranks of the launcher.
class LaunchedComm {
 public:
  explicit LaunchedComm(const Options& options);
  LaunchedComm(const LaunchedComm&) = delete;
  LaunchedComm& operator=(const LaunchedComm&) = delete;
  ~LaunchedComm() { (void)ulyssesCommDestroy(comm_); }

  ulyssesComm_t get() const { return comm_; }

  template <typename Record>
  std::vector<Record> gather(const Record& own) const {
    return allGather(comm_, nRanks_, own);
  }

 private:
  int nRanks_;
  ulyssesComm_t comm_ = nullptr;
};

// What ranks tell each other before measuring.
struct Word {
  char area[64] = {}, storage[64] = {};  // paths, of rank 0
  uint64_t mark = 0;                     // of that area
  bool isApart = false;                  // the area is not there: this rank is on another machine
  char host[64] = {};
  pid_t pid = 0;
  int core = -1;         // that it is bound to; -1: none
  char error[384] = {};  // empty: this rank is ready
};

// Runs `prepare`; what it throws is told to all ranks, and thrown at all.
std::vector<Word> agree(const LaunchedComm& comm, const std::function<void(Word&)>& prepare);

// What the run wants of the tool's memory.
struct Wanted {
  int64_t stripeBytes = 0;            // of each rank, for comparisons that read the peers' memory
  int iterations = 0;                 // whose times are kept
  std::function<void()> checkMemory;  // throws where the tensors do not fit; at rank 0
};

// What there is beside the library. On one machine rank 0 makes the memory that ranks share, and the others find it by
// its path; on several each rank has its own.
struct LaunchedRanks {
  std::optional<SharedArea> area;
  std::unique_ptr<SharedStorage> storage;
  std::optional<LaunchedComm> beside;  // of ranks on several machines
  std::optional<Apart> apart;
  std::vector<Word> ranks;

  // The options lose the comparisons that ranks on several machines cannot make. Called by all ranks; throws at all.
  LaunchedRanks(Options& options, const Wanted& wanted, const LaunchedComm& comm);

  // "ranks on several machines: host-a (ranks 0, 1), host-b (ranks 2, 3); ..."
  std::string machinesText() const;

 private:
  bool attach(const Word& first);
  void goApart(Options& options, const Wanted& wanted, const LaunchedComm& comm);
};

// Whoever waited in the tool's own barrier has no word of the library's yet: asks for it.
[[noreturn]] void failWithWordOfLibrary(const Abandoned& why, const LaunchedComm& comm);

}  // namespace ulysses::perf
