// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "gpu/bench_check.h"
#include "gpu/bench_kernels.h"
#include "gpu/bench_rows.h"
#include "gpu/gemm.h"

namespace ulysses::test {
namespace {

/// On a stream of their own. Blocks are short, as those of fast multiplications are, whose end an urgent kernel waits
/// for.
class Gemms {
 public:
  explicit Gemms(CudaRuntime& runtime) : memory_(runtime, runtime.allocate(kBytes)) {
    check(launchFill(memory_.data(), kBytes, 2, stream()), "the launch of filling matrices");
    check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  }
  cudaStream_t stream() const { return stream_.get(); }
  void enqueue(int count) const {
    const auto *a = memory_.as<float>(), *b = a + kSide * kDepth;
    float* const c = memory_.as<float>() + 2 * kSide * kDepth;
    for (int i = 0; i < count; ++i) check(launchGemm(a, b, c, kSide, kDepth, stream()), "launchGemm");
  }

 private:
  static constexpr int kSide = 4096, kDepth = 256;
  static constexpr std::int64_t kBytes = std::int64_t{4} * (2 * kSide * kDepth + kSide * kSide);

  DeviceMemory memory_;
  Stream stream_;
};

constexpr std::size_t kExchanges = 0, kGemms = 1, kTogether = 2;

BesideCounts chooseCounts(const std::vector<cudaStream_t>& streams, BenchRanks& ranks, const Gemms& gemms) {
  constexpr int kEach = 4;
  const Times times = measure(streams, {[&] {
                                          for (int i = 0; i < kEach; ++i) ranks.exchange();
                                        },
                                        [&] { gemms.enqueue(kEach); }});
  return besideCounts(spreadOf(times[kGemms]).middle / kEach, spreadOf(times[kExchanges]).middle / kEach);
}

void print(const BenchCase& run, const BesideCounts& counts, const Times& times) {
  const Spread hidden = spreadOfRounds(times, [&](std::size_t round) {
    return 100 * hiddenShare(times[kExchanges][round], times[kGemms][round], times[kTogether][round]);
  });
  std::printf("%s%d | %.2f | %d | %.2f | %s | %s %% |\n", startOf(run, times.withLaunches).c_str(), counts.exchanges,
              spreadOf(times[kExchanges]).middle, counts.gemms, spreadOf(times[kGemms]).middle,
              textOf(spreadOf(times[kTogether]), 2).c_str(), textOf(hidden, 0).c_str());
}

}  // namespace

void runBesideGemms(CudaRuntime& runtime, const BenchCase& run) {
  BenchRanks ranks(runtime, run);
  BenchCheck outputs(runtime, ranks);
  const Gemms gemms(runtime);
  std::vector<cudaStream_t> streams = ranks.streams();
  streams.push_back(gemms.stream());
  const BesideCounts counts = chooseCounts(streams, ranks, gemms);
  const Work multiply = [&] { gemms.enqueue(counts.gemms); };
  const Work exchange = [&] {
    for (int i = 0; i < counts.exchanges; ++i) ranks.exchange();
  };
  const Work together = [&] {
    multiply();
    exchange();
  };
  outputs.require(together);
  const Times times = measure(streams, {exchange, multiply, together});
  ranks.requireNoTrouble();
  print(run, counts, times);
}

}  // namespace ulysses::test
