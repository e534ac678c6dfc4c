// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "stats.h"

#include <algorithm>
#include <cmath>

namespace ulysses::perf {
namespace {

std::vector<double> slowestRank(const SharedArea& area, int contender, int iterations) {
  std::vector<double> slowest(static_cast<size_t>(iterations), 0);
  for (int rank = 0; rank < area.nRanks(); ++rank) {
    const double* times = area.timesUs(contender, rank);
    for (size_t i = 0; i < slowest.size(); ++i) slowest[i] = std::max(slowest[i], times[i]);
  }
  return slowest;
}

Ratio pairedRatio(const std::vector<double>& theirs, const std::vector<double>& ours, const Schedule& schedule) {
  std::vector<double> ratios;
  for (int round = 0; round < schedule.rounds; ++round) {
    const ptrdiff_t begin = static_cast<ptrdiff_t>(round) * schedule.block, end = begin + schedule.block;
    ratios.push_back(median({theirs.begin() + begin, theirs.begin() + end}) /
                     median({ours.begin() + begin, ours.begin() + end}));
  }
  const auto [lowest, highest] = std::minmax_element(ratios.begin(), ratios.end());
  return {median(ratios), *lowest, *highest};
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

TimesUs summarize(std::vector<double> timesUs) {
  std::sort(timesUs.begin(), timesUs.end());
  const auto rank99 = static_cast<size_t>(std::ceil(0.99 * static_cast<double>(timesUs.size())));  // nearest rank
  return {timesUs.front(), median(timesUs), timesUs[rank99 - 1], timesUs.back()};
}

double CaseResult::algbwGbps() const { return static_cast<double>(bytes()) / own().times.p50 * 1e-3; }

double CaseResult::busbwGbps() const { return algbwGbps() * (test->ranks - 1) / test->ranks; }

CaseResult collectResult(const SharedArea& area, const Options& options, const Case& test, bool withMpi) {
  const std::vector<ContenderInfo> infos = contendersOf(options, test, withMpi);
  CaseResult result{&test, scheduleOf(options, test, static_cast<int>(infos.size())), {}, 0};
  for (int rank = 0; rank < area.nRanks(); ++rank) {
    result.extraMemoryBytes += area.result(0, rank).extraMemoryBytes;
    result.paths |= area.slot(Side::kRanks, rank).paths;
  }
  std::vector<double> ours;
  for (size_t i = 0; i < infos.size(); ++i) {
    const int index = static_cast<int>(i);
    ContenderResult collected{infos[i].name, area.contender(index).unavailable, {}, 0, 0, 0, {1, 1, 1}};
    if (collected.unavailable.empty()) {
      const std::vector<double> times = slowestRank(area, index, result.schedule.iterations());
      collected.times = summarize(times);
      if (ours.empty()) ours = times;
      collected.ratio = pairedRatio(times, ours, result.schedule);
      for (int rank = 0; rank < area.nRanks(); ++rank) {
        const RankResult& ofRank = area.result(index, rank);
        collected.backToBackUs = std::max(collected.backToBackUs, ofRank.backToBackUs);
        collected.wrong += ofRank.wrong;
        collected.damagedGuardBytes += ofRank.damagedGuardBytes;
      }
    }
    result.contenders.push_back(std::move(collected));
  }
  return result;
}

}  // namespace ulysses::perf
