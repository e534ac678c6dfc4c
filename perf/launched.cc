// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "launched.h"

#include <fmt/format.h>

#include <vector>

#include "launched_ranks.h"
#include "peer_watch.h"
#include "preparation.h"
#include "rank.h"
#include "report.h"
#include "stats.h"

namespace ulysses::perf {
namespace {

// Rank 0 reports, and tells the others how the run ended.
void runRankZero(const Options& options, const std::vector<Case>& cases, LaunchedRanks& common, ulyssesComm_t comm) {
  SharedArea& area = *common.area;
  Report report(options, cases, area, false);
  report.note(fmt::format("ranks started by {}", options.launcher));
  if (common.apart) report.note(common.machinesText() + "; no floor, no permute");
  report.header();
  runCases(options, cases, area, *common.storage, options.rank, false, comm, [&](const Case& test) {
    if (common.apart) common.apart->collect(test);
    report.add(collectResult(area, options, test, false));
    storeAndWake(area.shown(), static_cast<uint32_t>(report.results().size()));
  });
  area.exitCode() = static_cast<uint32_t>(conclude(options, report));
  storeAndWake(area.shown(), static_cast<uint32_t>(cases.size()) + 1);
}

void runOtherRank(const Options& options, const std::vector<Case>& cases, LaunchedRanks& common, ulyssesComm_t comm) {
  SharedArea& area = *common.area;
  runCases(options, cases, area, *common.storage, options.rank, false, comm, [&](const Case& test) {
    if (!common.apart) return;  // rank 0 collects and shows
    common.apart->collect(test);
    storeAndWake(area.shown(), area.shown() + 1);
  });
  if (!common.apart) waitUntilAtLeast(area.shown(), static_cast<uint32_t>(cases.size()) + 1);
}

}  // namespace

int runLaunched(const Options& given) {
  Options options = given;
  const std::vector<Case> cases = makeCases(options);
  const LaunchedComm comm(options);
  const Wanted wanted = {largestStripeBytes(options, cases), mostIterations(options, cases),
                         [&] { checkMemory(options, cases); }};
  LaunchedRanks common(options, wanted, comm);
  const PeerWatch watch(options, *common.area, comm.get());
  try {
    options.rank == 0 ? runRankZero(options, cases, common, comm.get())
                      : runOtherRank(options, cases, common, comm.get());
  } catch (const Abandoned& why) {
    failWithWordOfLibrary(why, comm);
  }
  const auto code = static_cast<int>(common.area->exitCode().load());
  return common.apart ? common.apart->share(code) : code;
}

}  // namespace ulysses::perf
