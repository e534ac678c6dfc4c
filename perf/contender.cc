// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "contender.h"

#include <ctime>

#include "verify.h"

namespace ulysses::perf {
namespace {

double nowUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

}  // namespace

void Contender::startClock() { startUs_ = nowUs(); }
double Contender::stopClockUs() { return nowUs() - startUs_; }

void Contender::fill(uint64_t seed) const {
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
    fillInput(test_, tensor, rank_, seed, inputs_[static_cast<size_t>(tensor)].data());
  }
}

void Contender::poisonOutputs() {
  for (Buffer& output : outputs_) output.poison();
}

int64_t Contender::countWrong(uint64_t seed) const {
  int64_t wrong = 0;
  for (int tensor = 0; tensor < test_.nTensors(); ++tensor) {
    wrong += perf::countWrong(test_, tensor, rank_, seed, outputs_[static_cast<size_t>(tensor)].data());
  }
  return wrong;
}

int64_t Contender::damagedGuardBytes() const {
  int64_t damaged = 0;
  for (const Buffer& input : inputs_) damaged += input.damagedGuardBytes();
  for (const Buffer& output : outputs_) damaged += output.damagedGuardBytes();
  return damaged;
}

void Contender::rewriteInputs() const {
  for (const Buffer& input : inputs_) input.rewrite();
}

void Contender::readOutputs() const {
  for (const Buffer& output : outputs_) output.readAll();
}

// Above this, a rank's output leaves its L2 before anybody reads it, and storing past the caches saves reading every
// line before writing it; below, the next reader would have to fetch it from memory (docs/perf.md).
constexpr int64_t kStreamFromBytes = int64_t{2} << 20;

FloorKernel floorKernelOf(const Options& options, const Case& test) {
  if (options.floorKernel != FloorKernel::kByBytes) return options.floorKernel;
  return test.largestReceivedBytes() > kStreamFromBytes ? FloorKernel::kStreamX8 : FloorKernel::kPlainX4;
}

std::vector<ContenderInfo> contendersOf(const Options& options, const Case& test, bool withMpi) {
  std::vector<ContenderInfo> all = {{"ulysses", Side::kRanks}};
  const bool onDevice = options.memory == Memory::kCuda;
  if (options.compareFloor && onDevice) all.push_back({"floor:d2d", Side::kRanks});
  if (options.compareFloor && !onDevice) {
    const bool streams = floorKernelOf(options, test) == FloorKernel::kStreamX8;
    all.push_back({streams ? "floor:pull-nt-x8" : "floor:pull-x4", Side::kRanks});
  }
  if (options.comparePermute) all.push_back({"permute", Side::kRanks});
  if (withMpi) {
    all.push_back({"mpi:pack+alltoall", Side::kMpi});
    all.push_back({"mpi:datatypes", Side::kMpi});
  }
  return all;
}

}  // namespace ulysses::perf
