// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "benchmark.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "case.h"
#include "preparation.h"
#include "rank.h"
#include "report.h"
#include "shared.h"
#include "shared_tensors.h"
#include "stats.h"
#include "supervisor.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

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

}  // namespace

int runBenchmark(const Options& options) {
  const std::vector<Case> cases = makeCases(options);
  checkMemory(options, cases);
  SharedArea area = SharedArea::create(options.ranks, mostIterations(options, cases));
  const SharedStorage storage(options.ranks, largestStripeBytes(options, cases));
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
  return conclude(options, report);
}

void explain(const Options& options) {
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
      fmt::print("# rank {} of {}: receives {} bytes ({})\n{}\n", rank, options.ranks, bytes, formatBytes(bytes),
                 text.data());
    }
  }
}

}  // namespace ulysses::perf
