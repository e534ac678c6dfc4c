// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include "ranks.h"

namespace ulysses::test {

/// What every path must do.
class PathBasics : public testing::TestWithParam<PathKind> {
 protected:
  static void run(int nRanks, const Scenario& scenario) { GetParam().run(nRanks, scenario); }
};

/// What every path over a board must do.
class PathConformance : public testing::TestWithParam<PathKind> {
 protected:
  static void run(int nRanks, const Scenario& scenario) { GetParam().run(nRanks, scenario); }
};

inline auto kindName(const testing::TestParamInfo<PathKind>& kind) { return std::string(kind.param.name); }

}  // namespace ulysses::test
