// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a run prints: a table with the habits of nccl-tests, or RESULT lines as the programs of peers/ print them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.h"
#include "shared.h"
#include "stats.h"

namespace ulysses::perf {

// How bytes move, of PathBit bits: "shm registered", "shm staged", "ucx", "shm registered, ucx",
// "cuda", "self".
std::string pathName(const Options& options, uint32_t paths);
std::string libraryVersion();  // of the library at run time

class Report {
 public:
  Report(const Options& options, const std::vector<Case>& cases, const SharedArea& area, bool withMpi);

  void header() const;
  void note(const std::string& text) const;
  void add(const CaseResult& result);  // prints its row
  void footer() const;
  void progress() const;  // one line on a terminal, for sweeps

  const std::vector<CaseResult>& results() const { return results_; }
  int64_t wrongElements() const;      // of every contender
  int64_t damagedGuardBytes() const;  // "
  double averageBusbwGbps() const;
  std::string deviceOf(int rank) const;  // its GPU; empty: host memory

 private:
  std::string coreOf(int rank, const std::vector<int>& cores) const;
  void clearProgress() const;
  void addPeerLine(const CaseResult& result) const;
  void addTableRow(const CaseResult& result) const;
  bool showsProgress() const;

  const Options& options_;
  const std::vector<Case>& cases_;
  const SharedArea& area_;
  const bool withMpi_;
  std::vector<CaseResult> results_;
};

// The files of --json and --csv. Throw RunError when they cannot be written.
void writeJson(const Options& options, const Report& report);
void writeCsv(const Options& options, const Report& report);

}  // namespace ulysses::perf
