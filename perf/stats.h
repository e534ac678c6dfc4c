// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// From the times of all iterations to the numbers that are reported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench.h"
#include "contender.h"
#include "shared.h"

namespace ulysses::perf {

// Over iterations, of the maximum over ranks of each.
struct TimesUs {
  double min, p50, p99, max;
};

// Their time / ours, by rounds: the median of the rounds' ratios and its range.
struct Ratio {
  double median, lowest, highest;
};

struct ContenderResult {
  std::string name;
  std::string unavailable;  // why there are no numbers; empty: there are
  TimesUs times;
  double backToBackUs;  // mean of iterations without a barrier between them, slowest rank
  int64_t wrong, damagedGuardBytes;
  Ratio ratio;  // 1 for the library itself
};

struct CaseResult {
  const Case* test;
  Schedule schedule;
  std::vector<ContenderResult> contenders;  // the library first
  int64_t extraMemoryBytes;                 // of all ranks, by which their exchanges grew them
  uint32_t paths = 0;                       // of all ranks, as bits of PathBit

  const ContenderResult& own() const { return contenders.front(); }
  int64_t bytes() const { return test->largestReceivedBytes(); }
  double algbwGbps() const;  // bytes that a rank receives / median time, 1e9 bytes a second
  double busbwGbps() const;  // what of it crossed between ranks: (P - 1) / P
};

double median(std::vector<double> values);  // of at least one
TimesUs summarize(std::vector<double> timesUs);

CaseResult collectResult(const SharedArea& area, const Options& options, const Case& test, bool withMpi);

}  // namespace ulysses::perf
