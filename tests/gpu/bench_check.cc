// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_check.h"

#include <stdexcept>

#include "base/format.h"
#include "gpu/bench_call.h"
#include "gpu/bench_kernels.h"
#include "gpu/bench_sum.h"

namespace ulysses::test {
namespace {

// Two values, neither of which any input has: what nobody writes then differs.
constexpr int kBeforePermute = 0xff, kBeforeExchange = 0;

void finish() { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

/// Calls visit(piece, where the outputs before it end) for the outputs of all ranks.
template <typename Visit>
void forEachOutput(BenchRanks& ranks, Visit visit) {
  std::int64_t before = 0;
  for (int rank = 0; rank < ranks.size(); ++rank)
    for (const DeviceBytes& piece : ranks[rank].outputs()) {
      visit(piece, before);
      before += piece.bytes;
    }
}

}  // namespace

BenchCheck::BenchCheck(CudaRuntime& runtime, BenchRanks& ranks)
    : runtime_(runtime),
      ranks_(ranks),
      kept_(runtime, runtime.allocate(ranks.bytesWritten())),
      counter_(runtime, runtime.allocate(sizeof(unsigned long long))) {
  if (ranks.permutes())
    keepPermuted();
  else
    keepSums();
}

void BenchCheck::clear(int value) {
  forEachOutput(ranks_, [&](const DeviceBytes& piece, std::int64_t) {
    check(cudaMemsetAsync(piece.data, value, static_cast<std::size_t>(piece.bytes), ranks_.streams()[0]),
          "cudaMemsetAsync");
  });
  finish();
}

void BenchCheck::keepPermuted() {
  clear(kBeforePermute);
  ranks_.permute();
  finish();
  forEachOutput(ranks_, [&](const DeviceBytes& piece, std::int64_t at) {
    check(cudaMemcpyAsync(kept_.data() + at, piece.data, static_cast<std::size_t>(piece.bytes),
                          cudaMemcpyDeviceToDevice, ranks_.streams()[0]),
          "cudaMemcpyAsync");
  });
  finish();
}

void BenchCheck::keepSums() {
  std::vector<std::vector<std::byte>> inputs;
  for (int rank = 0; rank < ranks_.size(); ++rank)
    for (const DeviceBytes& piece : ranks_[rank].inputs()) {
      std::vector<std::byte>& input = inputs.emplace_back(static_cast<std::size_t>(piece.bytes));
      runtime_.read(input.data(), piece.data, piece.bytes);
    }
  std::int64_t at = 0;
  for (const std::vector<std::byte>& output : sumsByHost(ranks_.test(), inputs)) {
    runtime_.write(kept_.data() + at, output.data(), std::ssize(output));
    at += std::ssize(output);
  }
}

void BenchCheck::require(const Work& exchange) {
  clear(kBeforeExchange);
  exchange();
  finish();
  ranks_.requireNoTrouble();
  unsigned long long differing = 0;
  runtime_.write(counter_.data(), &differing, sizeof(differing));
  forEachOutput(ranks_, [&](const DeviceBytes& piece, std::int64_t at) {
    check(launchCompare(piece.data, kept_.data() + at, piece.bytes, counter_.as<unsigned long long>(),
                        ranks_.streams()[0]),
          "the launch of the comparison");
  });
  finish();
  runtime_.read(&differing, counter_.data(), sizeof(differing));
  if (differing != 0)
    throw std::runtime_error(formatText("{} of {} words of 16 bytes of the outputs are not those of the {}", differing,
                                        ranks_.bytesWritten() / 16, ranks_.permutes() ? "permutation" : "host's sum"));
}

}  // namespace ulysses::test
