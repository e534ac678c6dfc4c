// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One program for both: checks the kernels, or times them when --bench is given (further flags are Google Benchmark's).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "kernels/kernels.h"

#ifdef ULYSSES_HAVE_BENCHMARK
#include <benchmark/benchmark.h>
#endif

namespace {

[[maybe_unused]] constexpr int kSkip = 77;

int runBenchmarks([[maybe_unused]] int argc, [[maybe_unused]] char** argv) {
#ifdef ULYSSES_HAVE_BENCHMARK
  benchmark::AddCustomContext("target", ulysses::kernels::targetName());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
#else
  std::puts("skipped: built without Google Benchmark");
  return kSkip;
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--bench") == 0) {
    argv[1] = argv[0];
    return runBenchmarks(argc - 1, argv + 1);
  }
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) {
    std::printf("unknown argument %s; --bench times the kernels\n", argv[1]);
    return 1;
  }
  return RUN_ALL_TESTS();
}
