// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// ulysses_perf_mpi: the ranks of --compare mpi. ulysses_perf starts it under mpirun with its own options and the place
// of the memory they share; between its turns it sleeps, so that it takes no core from what is measured.
#include <fmt/format.h>
#include <mpi.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "bench.h"
#include "case.h"
#include "compare.h"
#include "shared.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

std::vector<Entry> makeEntries(const std::vector<ContenderInfo>& infos, const Case& test, int rank, SharedArea& area) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].side != Side::kMpi) continue;
    std::string why;
    std::unique_ptr<Contender> made =
        infos[i].name == "mpi:datatypes" ? makeMpiDatatypes(test, rank, why) : makeMpiPack(test, rank, why);
    ContenderSlot& slot = area.contender(static_cast<int>(i));
    if (rank == 0) {
      std::memset(slot.unavailable, 0, sizeof slot.unavailable);
      std::copy_n(why.data(), std::min(why.size(), sizeof slot.unavailable - 1), slot.unavailable);
    }
    if (made != nullptr) entries.push_back({static_cast<int>(i), std::move(made)});
  }
  return entries;
}

void runHelper(const Options& options, SharedArea& area, int rank) {
  RankSlot& slot = area.slot(Side::kMpi, rank);
  slot.pid = getpid();
  area.mpiReady().fetch_add(1);
  waitUntilAtLeast(area.started(), 1);
  if (area.withMpi() == 0) return;
  const std::vector<Case> cases = makeCases(options);
  Bench bench(options, area, Side::kMpi, rank, true);
  for (const Case& test : cases) {
    const std::vector<ContenderInfo> infos = contendersOf(options, test, true);
    bench.run(test, static_cast<int>(infos.size()), [&] { return makeEntries(infos, test, rank, area); });
    bench.finishCase([] {});
  }
  slot.enter(Phase::kEnding);
}

// The exit code. Texts of errors reach the tool through the shared area.
int attachAndRun(int argc, char** argv, int rank, int nRanks) {
  const std::optional<Options> options = parseOptions(argc, argv);
  if (!options || options->attach.empty())
    throw InputError("this program is started by ulysses_perf --compare mpi only");
  SharedArea area = SharedArea::attach(options->attach);
  if (nRanks != options->ranks) throw RunError(fmt::format("mpirun started {} ranks, not {}", nRanks, options->ranks));
  if (options->pin) (void)pinToCore(rank);
  try {
    runHelper(*options, area, rank);
    return 0;
  } catch (const std::exception& error) {
    area.reportError(Side::kMpi, rank, error.what());
    throw;
  }
}

}  // namespace
}  // namespace ulysses::perf

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // these ranks end with mpirun, and mpirun with the tool
  MPI_Init(&argc, &argv);
  int rank = 0, nRanks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &nRanks);
  int code = 1;
  try {
    code = ulysses::perf::attachAndRun(argc, argv, rank, nRanks);
  } catch (const std::exception& error) {
    fmt::print(stderr, "ulysses_perf_mpi: {}\n", error.what());
    std::fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  MPI_Finalize();
  return code;
}
