// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "rank.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string_view>

#include "bench.h"
#include "compare.h"
#include "compare_device.h"
#include "permute_plan.h"

namespace ulysses::perf {
namespace {

// The rank's GPU; nullptr where its tensors are in host memory.
std::unique_ptr<Device> deviceOf(const Options& options, RankSlot& slot, int rank) {
  if (options.memory != Memory::kCuda) return nullptr;
  auto device = openDevice(options.localRank >= 0 ? options.localRank : rank);
  const std::string name = device->name();
  name.copy(slot.device, sizeof(slot.device) - 1);
  return device;
}

std::vector<Entry> makeDeviceEntries(const Options& options, const Case& test, int rank, ulyssesComm_t comm,
                                     const SharedArea& area, const SharedStorage& storage, Device& device,
                                     Barrier& barrier) {
  std::vector<Entry> entries;
  entries.push_back({0, makeDeviceUlysses(test, rank, comm, device)});
  if (options.compareFloor) entries.push_back({static_cast<int>(entries.size()), makeDeviceFloor(test, rank, device)});
  if (!options.comparePermute) return entries;
  const auto index = static_cast<int>(entries.size());
  const std::string why = whyNoPermute(test);
  if (why.empty()) entries.push_back({index, makeDevicePermute(test, rank, device, storage, barrier)});
  if (rank == 0) area.contender(index).explain(why);
  return entries;
}

std::vector<Entry> makeEntries(const Options& options, const Case& test, int rank, ulyssesComm_t comm,
                               const SharedStorage& storage, Barrier& barrier) {
  std::vector<Entry> entries;
  entries.push_back({0, makeUlysses(options, test, rank, comm)});
  if (options.compareFloor) {
    entries.push_back({static_cast<int>(entries.size()), makeFloor(options, test, rank, storage, barrier)});
  }
  if (options.comparePermute) {
    entries.push_back({static_cast<int>(entries.size()), makePermute(options, test, rank, storage, barrier)});
  }
  return entries;
}

uint32_t pathsOf(ulyssesComm_t comm, int rank, int nRanks) {
  uint32_t paths = 0;
  for (int peer = 0; peer < nRanks; ++peer) {
    ulyssesPathInfo_t info;
    if (peer == rank || ulyssesCommGetPath(comm, peer, &info) != ulyssesSuccess) continue;
    paths |= std::string_view(info.path) == "ucx" ? kByUcx : kByShm;
  }
  return paths;
}

}  // namespace

ulyssesComm_t join(const Options& options, const SharedArea& area, int rank) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.timeout_ms = options.timeoutMs;
  config.init_timeout_ms = options.timeoutMs;
  ulyssesComm_t comm = nullptr;
  const ulyssesResult_t result = ulyssesCommInitRankConfig(&comm, options.ranks, &area.uniqueId(), rank, &config);
  if (result != ulyssesSuccess) {
    throw RunError(
        fmt::format("ulyssesCommInitRankConfig: {}: {}", ulyssesGetErrorString(result), ulyssesGetLastError(nullptr)));
  }
  return comm;
}

void runCases(const Options& options, const std::vector<Case>& cases, SharedArea& area, const SharedStorage& storage,
              int rank, bool withMpi, ulyssesComm_t comm, const std::function<void(const Case& test)>& onCaseDone) {
  RankSlot& slot = area.slot(Side::kRanks, rank);
  slot.paths = options.memory == Memory::kCuda ? kByCuda : pathsOf(comm, rank, options.ranks);
  const std::unique_ptr<Device> device = deviceOf(options, slot, rank);
  Bench bench(options, area, Side::kRanks, rank, withMpi);
  for (const Case& test : cases) {
    const auto nContenders = static_cast<int>(contendersOf(options, test, withMpi).size());
    bench.run(test, nContenders, [&] {
      return device ? makeDeviceEntries(options, test, rank, comm, area, storage, *device, bench.barrier())
                    : makeEntries(options, test, rank, comm, storage, bench.barrier());
    });
    bench.finishCase([&] { onCaseDone(test); });
  }
  slot.enter(Phase::kEnding);
}

void runRank(const Options& options, const std::vector<Case>& cases, SharedArea& area, const SharedStorage& storage,
             int rank, int caseDoneFd) {
  RankSlot& slot = area.slot(Side::kRanks, rank);
  waitUntilAtLeast(area.started(), 1);
  const bool withMpi = area.withMpi() != 0;
  slot.enter(Phase::kJoining);
  ulyssesComm_t comm = join(options, area, rank);
  runCases(options, cases, area, storage, rank, withMpi, comm, [&](const Case&) {
    if (rank != 0) return;
    const uint64_t one = 1;
    if (write(caseDoneFd, &one, sizeof one) != sizeof one) throwErrno("write to the tool");
  });
  const ulyssesResult_t result = ulyssesCommDestroy(comm);
  if (result != ulyssesSuccess) throw RunError(fmt::format("ulyssesCommDestroy: {}", ulyssesGetErrorString(result)));
}

}  // namespace ulysses::perf
