// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_rows.h"

#include <cstdio>

#include "gpu/bench_check.h"
#include "gpu/bench_kernels.h"

namespace ulysses::test {
namespace {

class Copy {
 public:
  Copy(CudaRuntime& runtime, std::int64_t bytes)
      : bytes_(static_cast<std::size_t>(bytes)),
        from_(runtime, runtime.allocate(bytes)),
        to_(runtime, runtime.allocate(bytes)) {
    check(launchFill(from_.data(), bytes, 1, nullptr), "the launch of filling what is copied");
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }
  void enqueue(cudaStream_t stream) const {
    check(cudaMemcpyAsync(to_.data(), from_.data(), bytes_, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
  }

 private:
  std::size_t bytes_;
  DeviceMemory from_, to_;
};

constexpr std::size_t kOurs = 0, kCopy = 1, kPermute = 2;

std::string middleUs(const Times& times, std::size_t work) {
  return formatText("{:.1f}", spreadOf(times[work]).middle * 1e3);
}

/// A copy reads and writes each byte once; sums read more than they write.
std::string besideCopy(const BenchRanks& ranks, const BenchCase& run, const Times& times) {
  const auto written = static_cast<double>(ranks.bytesWritten()), read = static_cast<double>(ranks.bytesRead());
  const Spread share = spreadOfRounds(times, [&](std::size_t round) {
    return times[kCopy][round] / times[kOurs][round] * (read + written) / (2 * written);
  });
  return textOf(share, 2) + " | " + againstLeast(share.middle, copyTargetOf(run));
}

std::string besidePermutation(const BenchRanks& ranks, const BenchCase& run, const Times& times) {
  if (!ranks.permutes()) return "- | - | - | -";
  const Spread ratio =
      spreadOfRounds(times, [&](std::size_t round) { return times[kPermute][round] / times[kOurs][round]; });
  return formatText("{} | {} | {} | {}", middleUs(times, kPermute), ranks.passes(), textOf(ratio, 2),
                    againstLeast(ratio.middle, permuteTargetOf(run, ranks.passes())));
}

}  // namespace

std::string startOf(const BenchCase& run, bool withLaunches) {
  return formatText("| {}{} | {} | {} | ", run.name, withLaunches ? ", host's launches included" : "", run.nRanks,
                    run.sequence);
}

void runExchange(CudaRuntime& runtime, const BenchCase& run) {
  BenchRanks ranks(runtime, run);
  const Work exchange = [&] { ranks.exchange(); };
  BenchCheck(runtime, ranks).require(exchange);
  const Copy copy(runtime, ranks.bytesWritten());
  std::vector<Work> works = {exchange, [&] { copy.enqueue(ranks.streams()[0]); }};
  if (ranks.permutes()) works.emplace_back([&] { ranks.permute(); });
  const Times times = measure(ranks.streams(), works);
  ranks.requireNoTrouble();
  std::printf("%s%.0f | %s | %s | %s | %s |\n", startOf(run, times.withLaunches).c_str(),
              static_cast<double>(ranks.bytesWritten()) / (1 << 20), middleUs(times, kOurs).c_str(),
              middleUs(times, kCopy).c_str(), besideCopy(ranks, run, times).c_str(),
              besidePermutation(ranks, run, times).c_str());
}

}  // namespace ulysses::test
