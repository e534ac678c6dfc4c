// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// gpu_bench: the exchange kernels beside copies of the same bytes within the device and the permutation that a user
// would write, in turns, by CUDA events. All ranks are on one GPU, in one process, so what is measured is the kernels
// and the memory, not a link.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "gpu/bench_call.h"
#include "gpu/bench_rows.h"

namespace ulysses::test {
namespace {

constexpr Operation kScatter = Operation::ScatterHeads, kGather = Operation::GatherHeads;
constexpr int kRankCounts[] = {2, 4, 8};

BenchCase qkv(const char* name, int ranks, std::int64_t sequence, std::int64_t heads) {
  return {name, kScatter, ranks, sequence, 1, heads, 8, 128, BenchTensors::kQkv};
}

BenchCase byCopyEngine(BenchCase run) {
  run.engine = Engine::CopyEngine;
  return run;
}

BenchCase urgent(BenchCase run) {
  run.urgent = true;
  return run;
}

std::vector<BenchCase> exchangeCases() {
  std::vector<BenchCase> cases;
  for (const int ranks : kRankCounts) {
    for (const std::int64_t sequence : {8192, 16384, 32768, 65536, 131072})
      cases.push_back({"scatter sbhd H=32 D=128", kScatter, ranks, sequence});
    cases.push_back({"gather sbhd H=32 D=128", kGather, ranks, 32768});
    cases.push_back(
        {"scatter bshd B=2 H=32 D=128", kScatter, ranks, 32768, 2, 32, 32, 128, BenchTensors::kOne, ulyssesLayoutBSHD});
    cases.push_back({"scatter, 1 head x 64 a rank", kScatter, ranks, 131072, 1, ranks, ranks, 64});
    cases.push_back(qkv("qkv 64/8 heads D=128", ranks, 32768, 64));
  }
  cases.push_back({"gather, sum of 4 replicas", kGather, 8, 131072, 1, 32, 2, 128, BenchTensors::kSum});
  return cases;
}

std::vector<BenchCase> copyEngineCases() {
  std::vector<BenchCase> cases;
  for (const int ranks : kRankCounts) {
    for (const std::int64_t sequence : {8192, 131072})
      cases.push_back(byCopyEngine({"scatter sbhd H=32 D=128", kScatter, ranks, sequence}));
    cases.push_back(byCopyEngine(qkv("qkv 64/8 heads D=128", ranks, 32768, 64)));
  }
  return cases;
}

std::vector<BenchCase> graphCases() {
  std::vector<BenchCase> cases;
  for (const int ranks : kRankCounts) {
    cases.push_back({"scatter, 32 KiB a rank", kScatter, ranks, 4 * ranks});
    cases.push_back(qkv("qkv 8/8 heads, 48 KiB a rank", ranks, 8 * ranks, 8));
  }
  return cases;
}

std::vector<BenchCase> besideCases() {
  const BenchCase sm{"SM kernel", kScatter, 4, 32768}, engine = byCopyEngine({"copy engine", kScatter, 4, 32768});
  BenchCase urgentSm = urgent(sm), urgentEngine = urgent(engine);
  urgentSm.name = "SM kernel, greatest priority";
  urgentEngine.name = "copy engine, greatest priority";
  return {sm, urgentSm, engine, urgentEngine};
}

/// All tables. A row that cannot be had is there, says why, and makes the program fail.
class Bench {
 public:
  using RunRow = void(CudaRuntime&, const BenchCase&);

  void table(const char* title, const char* header, RunRow* runRow, const std::vector<BenchCase>& cases) {
    std::printf("\n%s\n\n%s", title, header);
    for (const BenchCase& run : cases) addRow(runRow, run);
  }
  /// Whether there were all rows.
  bool finish() const {
    std::printf("\n%d rows, %d of them failed, %.1f s in total.\n", rows_, failed_, seconds());
    return failed_ == 0;
  }

 private:
  void addRow(RunRow* runRow, const BenchCase& run) {
    constexpr double kMostSeconds = 120;  // tests/gpu/run ends all at 150, and rows that fail may each take seconds
    ++rows_;
    try {
      if (seconds() > kMostSeconds) throw std::runtime_error("not begun: the rows before took too long");
      runRow(runtime_, run);
    } catch (const std::exception& error) {
      ++failed_;
      std::printf("%sFAILED: %s |\n", startOf(run).c_str(), error.what());
    }
    std::fflush(stdout);
  }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  CudaRuntime runtime_;
  int rows_ = 0, failed_ = 0;
};

void printMachine() {
  cudaDeviceProp properties;
  int driver = 0, runtime = 0;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  std::printf(
      "%s, %d multiprocessors, CUDA %d.%d, driver for %d.%d. All P ranks are on it, as streams of one process.\n"
      "Times are medians of 5 to 21 rounds, in which what is compared takes turns, without the host's launches; "
      "ratios\n"
      "are of one round: median (lowest to highest). Outputs of every row are compared bit by bit. Within one GPU the\n"
      "driver may make the copies of copy engines, and the plain copy, by kernels on its multiprocessors.\n",
      properties.name, properties.multiProcessorCount, runtime / 1000, runtime % 1000 / 10, driver / 1000,
      driver % 1000 / 10);
}

bool runAll() {
  Bench bench;
  printMachine();
  bench.table("Exchanges by the SM kernel:", kExchangeHeader, runExchange, exchangeCases());
  bench.table("Exchanges by copy engines:", kExchangeHeader, runExchange, copyEngineCases());
  bench.table("Small exchanges in the replay of a graph:", kGraphHeader, runGraph, graphCases());
  bench.table("Exchanges beside multiplications on another stream:", kBesideHeader, runBesideGemms, besideCases());
  return bench.finish();
}

}  // namespace
}  // namespace ulysses::test

int main() {
  // Before anything of CUDA's, which reads them once. Ranks wait for each other on the GPU, so what is behind one of
  // them in a queue of the hardware waits too: each stream needs a queue of its own, and there are 8 unless more are
  // asked for. A kernel that is loaded at its first launch may likewise wait for those that run.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  setenv("CUDA_MODULE_LOADING", "EAGER", 0);
  try {
    return ulysses::test::runAll() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 1;
  }
}
