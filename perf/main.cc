// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "attention.h"
#include "benchmark.h"
#include "error.h"
#include "launched.h"
#include "net.h"
#include "options.h"
#include "simulate.h"

int main(int argc, char** argv) {
  using namespace ulysses::perf;
  try {
    if (argc > 1 && std::string_view(argv[1]) == "net") return runNet(argc - 1, argv + 1);
    const std::optional<Options> options = parseOptions(argc, argv);
    if (!options) return 0;
    if (options->explain || !options->simulateFile.empty()) {
      if (options->rank != 0) return 0;
      if (options->explain) explain(*options);
      return options->simulateFile.empty() ? 0 : simulate(*options);
    }
    if (options->operation == Operation::kAttention)
      return options->launcher.empty() ? runAttention(*options) : runLaunchedAttention(*options);
    return options->launcher.empty() ? runBenchmark(*options) : runLaunched(*options);
  } catch (const InputError& error) {
    fmt::print(stderr, "ulysses_perf: {}\n", error.what());
    return kExitBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ulysses_perf: {}\n", error.what());
    return kExitFailure;
  }
}
