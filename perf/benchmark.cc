// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "benchmark.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "case.h"
#include "compare.h"
#include "rank.h"
#include "report.h"
#include "shared.h"
#include "shared_tensors.h"
#include "stats.h"
#include "supervisor.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

int64_t stripeBytes(const Options& options, const Case& test) {
  return (options.compareFloor ? floorStripeBytes(test) : 0) + (options.comparePermute ? permuteStripeBytes(test) : 0);
}

// Inputs and outputs of all ranks, once for the library and once for the helper, which packs too.
int64_t neededBytes(const Options& options, const Case& test) {
  int64_t tensors = 0;
  for (int rank = 0; rank < test.ranks; ++rank) {
    for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
      tensors +=
          Buffer::storageBytes(test.inputBytes(tensor, rank)) + Buffer::storageBytes(test.outputBytes(tensor, rank));
    }
  }
  return tensors * (options.compareMpi ? 4 : 1) + stripeBytes(options, test) * test.ranks;
}

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

std::vector<std::string> mpiCommand(const Options& options, const SharedArea& area) {
  const std::string helper = std::filesystem::read_symlink("/proc/self/exe").replace_filename("ulysses_perf_mpi");
  std::vector<std::string> command = {
      options.mpirun, "--oversubscribe", "--bind-to", "none", "-np", std::to_string(options.ranks), helper};
  if (geteuid() == 0) command.insert(command.begin() + 1, "--allow-run-as-root");
  command.insert(command.end(), options.arguments.begin() + 1, options.arguments.end());
  command.insert(command.end(), {"--attach", area.path()});
  return command;
}

bool isInPath(const std::string& program) {
  if (program.find('/') != std::string::npos) return access(program.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  for (std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path; !rest.empty();) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    if (access(fmt::format("{}/{}", rest.substr(0, colon), program).c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return false;
}

// Empty when the helper's ranks are up; else why the rows of --compare mpi are missing.
std::string startMpi(const Options& options, SharedArea& area, Supervisor& supervisor) {
  const std::vector<std::string> command = mpiCommand(options, area);
  const std::string& helper = *(std::find(command.begin(), command.end(), "-np") + 2);
  if (!isInPath(options.mpirun)) {
    return fmt::format("{} is not there; install openmpi-bin, or name another launcher with --mpirun", options.mpirun);
  }
  if (!isInPath(helper)) {
    return fmt::format("{} is not there; it is built with libopenmpi-dev installed (Meson option mpi)", helper);
  }
  return supervisor.startMpi(command);
}

void publishId(const SharedArea& area) {
  if (ulyssesGetUniqueId(&area.uniqueId()) != ulyssesSuccess) {
    throw RunError(fmt::format("ulyssesGetUniqueId: {}", ulyssesGetLastError(nullptr)));
  }
  storeAndWake(area.started(), 1);
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

void requireAllMeasured(const Report& report) {
  for (const CaseResult& result : report.results()) {
    for (const ContenderResult& one : result.contenders) {
      if (!one.unavailable.empty()) throw RunError(fmt::format("--compare-strict: {}: {}", one.name, one.unavailable));
    }
  }
}

}  // namespace

int runBenchmark(const Options& options) {
  const std::vector<Case> cases = makeCases(options);
  checkMemory(options, cases);
  SharedArea area = SharedArea::create(options.ranks, mostIterations(options, cases));
  int64_t largestStripe = 0;
  for (const Case& test : cases) largestStripe = std::max(largestStripe, stripeBytes(options, test));
  const SharedStorage storage(options.ranks, largestStripe);
  Supervisor supervisor(options, area);
  const int caseDoneFd = supervisor.caseDoneFd();
  supervisor.forkRanks([&](int rank) { runRank(options, cases, area, storage, rank, caseDoneFd); });

  const std::string mpiProblem = options.compareMpi ? startMpi(options, area, supervisor) : "";
  if (!mpiProblem.empty() && options.compareStrict) throw RunError("--compare mpi: " + mpiProblem);
  const bool withMpi = options.compareMpi && mpiProblem.empty();
  area.withMpi() = withMpi ? 1 : 0;
  publishId(area);

  Report report(options, cases, area, withMpi);
  if (!mpiProblem.empty()) report.note("no mpi rows: " + mpiProblem);
  report.header();
  const auto showCase = [&] {
    report.add(collectResult(area, options, cases[report.results().size()], withMpi));
    storeAndWake(area.shown(), static_cast<uint32_t>(report.results().size()));
  };
  supervisor.watch(showCase, [&] { report.progress(); });
  report.footer();
  if (options.compareStrict) requireAllMeasured(report);
  if (!options.jsonFile.empty()) writeJson(options, report);
  if (!options.csvFile.empty()) writeCsv(options, report);
  return report.wrongElements() + report.damagedGuardBytes() == 0 ? 0 : kExitFailure;
}

int explain(const Options& options) {
  constexpr size_t kTextBytes = size_t{4} << 20;
  std::vector<char> text(kTextBytes);
  for (const Case& test : makeCases(options)) {
    const ulyssesGeometry_t geometry = test.geometry();
    std::vector<ulyssesTensor_t> tensors;
    tensors.reserve(test.tensors.size());
    for (int tensor = 0; tensor < test.nTensors(); ++tensor)
      tensors.push_back(test.descriptor(tensor, nullptr, nullptr));
    const int first = std::max(options.explainRank, 0);
    const int last = options.explainRank < 0 ? options.ranks - 1 : options.explainRank;
    for (int rank = first; rank <= last; ++rank) {
      int64_t bytes = 0;
      const ulyssesResult_t result = ulyssesExplain(test.op, &geometry, tensors.data(), test.nTensors(), options.ranks,
                                                    rank, &bytes, text.data(), text.size());
      if (result != ulyssesSuccess) throw RunError(fmt::format("ulyssesExplain: {}", ulyssesGetLastError(nullptr)));
      fmt::print("# rank {} of {}: receives {} bytes ({}), path: {}\n{}\n", rank, options.ranks, bytes,
                 formatBytes(bytes), pathName(options), text.data());
    }
  }
  return 0;
}

}  // namespace ulysses::perf
