// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "single_process.h"

#include <cstdlib>

#include "gpu/together.h"
#include "kernels/device/launch.h"

namespace ulysses::test {

SingleProcess::SingleProcess(const DeviceCase& run, std::uint32_t epoch) : run_(run), blocks_(blocksFor(run.nRanks())) {
  std::vector<std::byte*> boards;
  std::vector<device::Segment> segments(static_cast<std::size_t>(run.nRanks()) * DeviceCase::kSegments);
  for (int rank = 0; rank < run.nRanks(); ++rank) {
    arenas_.push_back(upload(run.before(rank)));
    ranks_.push_back(std::make_unique<GpuRank>(run.nRanks(), epoch));
    works_.push_back(std::make_unique<GpuWork>(run.work(rank), run.nRanks()));
    boards.push_back(ranks_.back()->board());
    run.describe(rank, arena(rank), &segments[static_cast<std::size_t>(rank) * DeviceCase::kSegments]);
  }
  for (int r = 0; r < run.nRanks(); ++r) {
    rank(r).join(boards, segments);
    calls_.push_back(run.call(r, rank(r).memory(works_[static_cast<std::size_t>(r)]->work(), arena(r))));
  }
}

void SingleProcess::launch(int rank) {
  const device::CudaError error = device::launchExchange(call(rank), blocks_, this->rank(rank).stream());
  if (!error.empty()) throw std::runtime_error(error);
}

void SingleProcess::launchAll(int first) {
  const int nRanks = run_.nRanks();
  if (std::getenv("ULYSSES_GPU_TOGETHER") == nullptr) {
    for (int i = 0; i < nRanks; ++i) launch((first + i) % nRanks);
    return;
  }
  const DeviceBuffer calls = upload(calls_);
  check(static_cast<cudaError_t>(launchTogether(calls.as<device::Arguments>(), nRanks, blocks_, rank(0).stream())),
        "launch");
  wait();
}

void SingleProcess::wait() {
  for (const auto& rank : ranks_) check(cudaStreamSynchronize(rank->stream()), "cudaStreamSynchronize");
}

void SingleProcess::restore() {
  for (int rank = 0; rank < run_.nRanks(); ++rank)
    check(cudaMemcpy(arena(rank), run_.before(rank).data(), run_.before(rank).size(), cudaMemcpyHostToDevice),
          "cudaMemcpy");
}

std::string SingleProcess::difference() const {
  for (int rank = 0; rank < run_.nRanks(); ++rank)
    if (const std::string text = differenceOf(arena(rank), run_.after(rank)); !text.empty())
      return "rank " + std::to_string(rank) + ": " + text;
  return "";
}

}  // namespace ulysses::test
