// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "attention_result.h"
#include "launched.h"
#include "launched_ranks.h"
#include "peer_watch.h"

namespace ulysses::perf {
namespace {

// Rank 0 has the times of all ranks afterwards, and their figures.
AttentionResult measure(const Options& options, const Case& test, const AttentionSchedule& schedule,
                        LaunchedRanks& common, const LaunchedComm& comm) {
  SharedArea& area = *common.area;
  AttentionFigures own{};
  runAttentionRank(options, test, schedule, area, own, options.rank, comm.get(), [](int) {});
  for (int pass = 0; common.apart && pass < (options.backward ? 2 : 1); ++pass)
    common.apart->collectTimes(pass, schedule.iterations());
  AttentionResult result{};
  // Complete everywhere only when every rank has written its last time.
  summarize(options, test, area, schedule, comm.gather(own), result);
  return result;
}

void printHeader(const Options& options, const LaunchedRanks& common) {
  fmt::print("# ranks started by {}\n", options.launcher);
  if (common.apart) fmt::print("# {}\n", common.machinesText());
  printAttentionHeader(options);
}

}  // namespace

int runLaunchedAttention(const Options& given) {
  Options options = given;
  const Case test = attentionCase(options);
  const AttentionSchedule schedule = attentionSchedule(options, test, 0);
  const LaunchedComm comm(options);
  const Wanted wanted = {0, schedule.iterations(), [&] { checkAttentionMemory(options, test); }};
  LaunchedRanks common(options, wanted, comm);
  const PeerWatch watch(options, *common.area, comm.get());
  int code = 0;
  try {
    if (options.rank == 0) printHeader(options, common);
    const AttentionResult result = measure(options, test, schedule, common, comm);
    agree(comm, [&](Word&) {
      if (options.rank == 0) code = concludeAttention(options, test, result);
    });
  } catch (const Abandoned& why) {
    failWithWordOfLibrary(why, comm);
  }
  return comm.gather(code).front();
}

}  // namespace ulysses::perf
