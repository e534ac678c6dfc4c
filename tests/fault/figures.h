// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What tests measure, for tests/fault/matrix.py.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace ulysses::test {

inline void recordFigure(const std::string& name, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  testing::Test::RecordProperty(name, text);
  std::printf("%s %s\n", name.c_str(), text);
}

/// `name`_p50, _p99 and _max of what was measured, in milliseconds.
inline void recordTimes(const std::string& name, std::vector<double> ms) {
  if (ms.empty()) return;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double part) {
    return ms[static_cast<std::size_t>(part * static_cast<double>(ms.size() - 1) + 0.5)];
  };
  recordFigure(name + "_p50", at(0.5));
  recordFigure(name + "_p99", at(0.99));
  recordFigure(name + "_max", ms.back());
}

}  // namespace ulysses::test
