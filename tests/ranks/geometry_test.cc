// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Random exchanges, compared byte for byte with the oracle: outputs, the gaps in them, guards around them, inputs.
// The acceptance run, 21,000 cases over the self and shm paths:
//   geometry_test --ranks-as all --cases 7000
// A case that failed runs alone with the flags that its message gives (see support/ranks_main.h).
#include <gtest/gtest.h>

#include <cstdio>

#include "support/coverage.h"
#include "support/emulated_hosts.h"
#include "support/ranks_main.h"

namespace ulysses::test {

namespace {

constexpr std::int64_t kEnoughToCover = 3000;

void runGeometries(Mode mode, std::int64_t defaultCases) {
  const RunOptions options = optionsOf(Profile::Any, mode, defaultCases);
  expectRight(options, mode);
  if (mode == Mode::Processes) expectHostsCovered(options);
  const Coverage coverage = coverageOf(options);
  std::printf("%ld cases: %s\n", static_cast<long>(options.count), toText(coverage).c_str());
  if (options.count < kEnoughToCover) return;
  for (const auto& [property, count] : coverage) EXPECT_GT(count, options.count / 200) << property;
}

TEST(Geometry, Threads) { runGeometries(Mode::Threads, 3000); }
TEST(Geometry, Processes) { runGeometries(Mode::Processes, 3000); }
TEST(Geometry, Group) { runGeometries(Mode::Group, 3000); }

}  // namespace

}  // namespace ulysses::test

int main(int argc, char** argv) { return ulysses::test::ranksMain(argc, argv); }
