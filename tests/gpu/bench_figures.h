// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of gpu_bench: how often to measure, and what its tables say of what was measured. No CUDA.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/format.h"

namespace ulysses::test {

/// Of one figure, over rounds.
struct Spread {
  double middle = 0, low = 0, high = 0;
};

/// The median is the upper one where there are two.
inline Spread spreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

/// [work][round], in milliseconds: of one round all were measured one right after the other.
struct Times {
  std::vector<std::vector<double>> works;
  bool withLaunches = false;  // the host's launches are in some or all of them

  const std::vector<double>& operator[](std::size_t work) const { return works[work]; }
};

/// Of a figure that is worked out round by round, since the machine is the same only within one.
template <typename Figure>
Spread spreadOfRounds(const Times& times, Figure figure) {
  std::vector<double> figures;
  for (std::size_t round = 0; round < times[0].size(); ++round) figures.push_back(figure(round));
  return spreadOf(figures);
}

/// "0.93 (0.91 to 0.95)".
inline std::string textOf(const Spread& spread, int decimals) {
  return formatText("{:.{}f} ({:.{}f} to {:.{}f})", spread.middle, decimals, spread.low, decimals, spread.high,
                    decimals);
}

/// "0.90 met": of a target that the figure must reach, or must not exceed. None: "-".
inline std::string againstLeast(double figure, double target) {
  return target == 0 ? "-" : formatText("{:.2f} {}", target, figure >= target ? "met" : "missed");
}
inline std::string againstMost(double figure, double target) {
  return target == 0 ? "-" : formatText("{:.2f} {}", target, figure <= target ? "met" : "missed");
}

/// An odd number, so that the median is one of them; fewer where a round takes long.
inline int roundsFor(double roundMs) {
  constexpr double kBudgetMs = 300, kFewest = 5, kMost = 21;
  return static_cast<int>(std::clamp(kBudgetMs / std::max(roundMs, 1e-3), kFewest, kMost)) | 1;
}

/// How many multiplications and exchanges take about the same time, some milliseconds.
struct BesideCounts {
  int gemms = 1, exchanges = 1;
};

/// No more than kMostOfEach, since all of them are enqueued before the first begins, and a stream takes about 1000
/// launches before it makes the host wait; an exchange by copy engines is up to 9 of them.
inline BesideCounts besideCounts(double gemmMs, double exchangeMs) {
  constexpr double kWantedMs = 6, kMostOfEach = 64;
  const double shorter = std::min(gemmMs, exchangeMs), longer = std::max(gemmMs, exchangeMs);
  const auto limited = [&](double count) { return static_cast<int>(std::clamp(std::round(count), 1.0, kMostOfEach)); };
  const int fewer = limited(std::min(kWantedMs, kMostOfEach * shorter) / longer);
  const int more = limited(fewer * longer / shorter);
  return gemmMs > exchangeMs ? BesideCounts{fewer, more} : BesideCounts{more, fewer};
}

/// Of the shorter of two, how much of its time is hidden behind the other: 1, all of it; 0, one ran after the other;
/// below 0, they disturbed each other.
inline double hiddenShare(double one, double other, double together) {
  return (one + other - together) / std::min(one, other);
}

}  // namespace ulysses::test
