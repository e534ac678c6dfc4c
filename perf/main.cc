// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "benchmark.h"
#include "error.h"
#include "launched.h"
#include "options.h"
#include "simulate.h"

int main(int argc, char** argv) {
  using namespace ulysses::perf;
  try {
    const std::optional<Options> options = parseOptions(argc, argv);
    if (!options) return 0;
    if (!options->simulateFile.empty()) return options->rank == 0 ? simulate(*options) : 0;
    if (options->explain) return options->rank == 0 ? explain(*options) : 0;
    return options->launcher.empty() ? runBenchmark(*options) : runLaunched(*options);
  } catch (const InputError& error) {
    fmt::print(stderr, "ulysses_perf: {}\n", error.what());
    return kExitBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ulysses_perf: {}\n", error.what());
    return kExitFailure;
  }
}
