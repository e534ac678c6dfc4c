// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "preparation.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench.h"
#include "compare.h"
#include "compare_device.h"
#include "error.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

int64_t stripeBytes(const Options& options, const Case& test) {
  if (options.memory == Memory::kCuda) return options.comparePermute ? devicePermuteStripeBytes() : 0;
  return (options.compareFloor ? floorStripeBytes(test) : 0) + (options.comparePermute ? permuteStripeBytes(test) : 0);
}

// A rank whose tensors are on a GPU has one of them at a time in host memory, to fill or verify it.
int64_t mirrorBytes(const Case& test, int rank) {
  int64_t largest = 0;
  for (int tensor = 0; tensor < test.nTensors(); ++tensor)
    largest = std::max({largest, test.inputBytes(tensor, rank), test.outputBytes(tensor, rank)});
  return Buffer::storageBytes(largest);
}

// Inputs and outputs of all ranks, once for the library and once for the helper, which packs too.
int64_t neededBytes(const Options& options, const Case& test) {
  int64_t tensors = 0;
  for (int rank = 0; rank < test.ranks; ++rank) {
    if (options.memory == Memory::kCuda) {
      tensors += mirrorBytes(test, rank);
      continue;
    }
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      tensors +=
          Buffer::storageBytes(test.inputBytes(tensor, rank)) + Buffer::storageBytes(test.outputBytes(tensor, rank));
    }
  }
  return tensors * (options.compareMpi ? 4 : 1) + stripeBytes(options, test) * test.ranks;
}

void requireAllMeasured(const Report& report) {
  for (const CaseResult& result : report.results()) {
    for (const ContenderResult& one : result.contenders) {
      if (!one.unavailable.empty()) throw RunError(fmt::format("--compare-strict: {}: {}", one.name, one.unavailable));
    }
  }
}

}  // namespace

// Shared pages that do not fit kill their toucher with SIGBUS or bring the out-of-memory killer: ask before.
void checkMemory(const Options& options, const std::vector<Case>& cases) {
  int64_t needed = 0;
  for (const Case& test : cases) needed = std::max(needed, neededBytes(options, test));
  const int64_t usable = usableMemoryBytes();
  if (needed <= usable) return;
  throw InputError(
      fmt::format("--seq --batch --heads (or -e): the tensors of all ranks need {}, and {} are available "
                  "(memory and memory cgroup); make them smaller, or leave out --compare",
                  formatBytes(needed), formatBytes(usable)));
}

int64_t largestStripeBytes(const Options& options, const std::vector<Case>& cases) {
  int64_t largest = 0;
  for (const Case& test : cases) largest = std::max(largest, stripeBytes(options, test));
  return largest;
}

int mostIterations(const Options& options, const std::vector<Case>& cases) {
  int most = 1;
  for (const Case& test : cases) {
    for (const int nContenders : {1, kMaxContenders}) {
      most = std::max(most, scheduleOf(options, test, nContenders).iterations());
    }
  }
  return most;
}

int conclude(const Options& options, const Report& report) {
  report.footer();
  if (options.compareStrict) requireAllMeasured(report);
  if (!options.jsonFile.empty()) writeJson(options, report);
  if (!options.csvFile.empty()) writeCsv(options, report);
  return report.wrongElements() + report.damagedGuardBytes() == 0 ? 0 : kExitFailure;
}

}  // namespace ulysses::perf
