// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// gpu_bench: the exchange kernels beside copies of the same bytes within the device, in turns, by CUDA events. All
// ranks are on one GPU, in one process, so what is measured is the kernels and the memory, not a link.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>

#include "kernels/device/launch.h"
#include "path/cuda/cuda_runtime.h"
#include "path/cuda/device_rank.h"

namespace ulysses::test {
namespace {

constexpr int kRounds = 11, kWarmup = 3;

struct BenchCase {
  const char* name;
  Operation operation;
  int nRanks;
  std::int64_t sequence, heads, kvHeads, headDim;
  bool sum;
};

void check(cudaError_t result, const char* call) {
  if (result != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(result));
}

Strides sbhdOf(std::int64_t heads, std::int64_t headDim) {
  return {heads * headDim, heads * headDim, headDim, headDim};
}

/// Contiguous SBHD on both sides.
TensorSpec tensorOf(const BenchCase& run, const Geometry& geometry, int rank) {
  TensorSpec tensor;
  tensor.type = DataType::BF16;
  tensor.kind = run.kvHeads != run.heads ? TensorKind::Kv : TensorKind::Query;
  tensor.sum = run.sum;
  tensor.headDim = run.headDim;
  const std::int64_t local = distribute(geometry).heads.of(TensorKind::Kv)[static_cast<std::size_t>(rank)].count;
  tensor.input = sbhdOf(run.kvHeads, run.headDim);
  tensor.output = sbhdOf(local, run.headDim);
  if (run.operation == Operation::GatherHeads) std::swap(tensor.input, tensor.output);
  return tensor;
}

Plan planOf(const BenchCase& run, int rank) {
  Geometry geometry;
  geometry.nRanks = run.nRanks;
  geometry.sequence = run.sequence;
  geometry.heads = run.heads;
  geometry.kvHeads = run.kvHeads;
  const TensorSpec tensor = tensorOf(run, geometry, rank);
  return Plan(run.operation, geometry, std::span(&tensor, 1), rank);
}

std::int64_t bytesOf(const Plan& plan, Side side) {
  const Shape s = shardShape(plan.geometry(), plan.distribution(), plan.tensors()[0], side, plan.rank());
  return s.tokens * s.batch * s.groups * s.headsPerGroup * plan.tensors()[0].rowBytes();
}

/// One rank with its stream and tensors.
class BenchRank {
 public:
  BenchRank(CudaRuntime& runtime, const BenchCase& run, int rank)
      : plan_(planOf(run, rank)),
        end_(runtime, {.rank = rank, .nRanks = run.nRanks, .timeoutMs = 10'000}),
        call_(runtime, plan_, 1, device::kTilePieces),
        input_(runtime, runtime.allocate(bytesOf(plan_, plan_.sourceSide()))),
        output_(runtime, runtime.allocate(outputBytes())) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  ~BenchRank() { static_cast<void>(cudaStreamDestroy(stream_)); }

  DeviceRank& end() { return end_; }
  cudaStream_t stream() const { return stream_; }
  std::int64_t outputBytes() const { return bytesOf(plan_, plan_.destinationSide()); }
  std::int64_t receivedBytes() const { return plan_.bytesReceived(); }
  /// What peers reach of it.
  device::Segment segment() const {
    if (call_.isPulled(0)) return {input_.data(), bytesOf(plan_, plan_.sourceSide())};
    return {output_.data(), outputBytes()};
  }
  void enqueue() {
    const std::byte* const input = input_.data();
    std::byte* const output = output_.data();
    end_.enqueue(call_, std::span(&input, 1), std::span(&output, 1), stream_);
  }

 private:
  Plan plan_;
  DeviceRank end_;
  DeviceCall call_;
  DeviceMemory input_, output_;
  cudaStream_t stream_ = nullptr;
};

using BenchRanks = std::vector<std::unique_ptr<BenchRank>>;

BenchRanks makeRanks(CudaRuntime& runtime, const BenchCase& run) {
  BenchRanks ranks;
  std::vector<std::byte*> boards;
  std::vector<device::Segment> segments;
  for (int rank = 0; rank < run.nRanks; ++rank) {
    ranks.push_back(std::make_unique<BenchRank>(runtime, run, rank));
    boards.push_back(ranks.back()->end().board());
    segments.push_back(ranks.back()->segment());
  }
  for (const auto& rank : ranks) {
    rank->end().connect(boards, run.nRanks);
    rank->end().segments().add(segments);
  }
  return ranks;
}

/// Milliseconds from before the first to after the last of what is enqueued on all streams.
float timed(const std::vector<cudaStream_t>& streams, const std::function<void(int)>& enqueue) {
  cudaEvent_t begin, end, each;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  check(cudaEventCreateWithFlags(&each, cudaEventDisableTiming), "cudaEventCreate");
  check(cudaEventRecord(begin, streams[0]), "cudaEventRecord");
  for (std::size_t i = 1; i < streams.size(); ++i) check(cudaStreamWaitEvent(streams[i], begin), "cudaStreamWaitEvent");
  for (std::size_t i = 0; i < streams.size(); ++i) enqueue(static_cast<int>(i));
  for (std::size_t i = 1; i < streams.size(); ++i) {
    check(cudaEventRecord(each, streams[i]), "cudaEventRecord");
    check(cudaStreamWaitEvent(streams[0], each), "cudaStreamWaitEvent");
  }
  check(cudaEventRecord(end, streams[0]), "cudaEventRecord");
  check(cudaEventSynchronize(end), "cudaEventSynchronize");
  float ms = 0;
  check(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
  for (cudaEvent_t event : {begin, end, each}) cudaEventDestroy(event);
  return ms;
}

float median(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Times {
  float exchange, copy;  // ms
};

/// In turns, so that both have the same machine.
Times measure(BenchRanks& ranks, const std::vector<cudaStream_t>& streams, std::byte* to, const std::byte* from,
              std::size_t bytes) {
  std::vector<float> exchanges, copies;
  for (int round = 0; round < kRounds + kWarmup; ++round) {
    const float exchange = timed(streams, [&](int rank) { ranks[static_cast<std::size_t>(rank)]->enqueue(); });
    const float copy = timed({streams[0]}, [&](int) {
      check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, streams[0]), "cudaMemcpyAsync");
    });
    if (round < kWarmup) continue;
    exchanges.push_back(exchange);
    copies.push_back(copy);
  }
  return {median(exchanges), median(copies)};
}

void run(CudaRuntime& runtime, const BenchCase& run) {
  BenchRanks ranks = makeRanks(runtime, run);
  std::vector<cudaStream_t> streams;
  std::int64_t written = 0, read = 0;
  for (const auto& rank : ranks) {
    streams.push_back(rank->stream());
    written += rank->outputBytes();
    read += rank->receivedBytes();
  }
  const DeviceMemory from(runtime, runtime.allocate(written)), to(runtime, runtime.allocate(written));
  const Times times = measure(ranks, streams, to.data(), from.data(), static_cast<std::size_t>(written));
  for (const auto& rank : ranks)
    if (const auto trouble = rank->end().trouble()) throw std::runtime_error(trouble->text);
  // A copy reads and writes each byte once; sums read more than they write.
  const double rate = static_cast<double>(read + written) / times.exchange / 1e6;
  const double copyRate = 2.0 * static_cast<double>(written) / times.copy / 1e6;
  std::printf("%-28s %5d %10.1f %10.4f %10.4f %9.0f %9.0f %8.2f\n", run.name, run.nRanks,
              static_cast<double>(written) / 1048576, times.exchange, times.copy, rate, copyRate, rate / copyRate);
}

void runAll() {
  CudaRuntime runtime;
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  std::printf("# %s, %d multiprocessors; all ranks on it, one process; medians of %d\n", properties.name,
              properties.multiProcessorCount, kRounds);
  std::printf("# %-26s %5s %10s %10s %10s %9s %9s %8s\n", "case", "ranks", "MiB", "ours ms", "copy ms", "ours GB/s",
              "copy GB/s", "ratio");
  for (const int nRanks : {2, 4, 8}) {
    for (const std::int64_t sequence : {8192, 32768, 131072})
      run(runtime, {"scatter bf16 H=32 D=128", Operation::ScatterHeads, nRanks, sequence, 32, 32, 128, false});
    run(runtime, {"gather bf16 H=32 D=128", Operation::GatherHeads, nRanks, 32768, 32, 32, 128, false});
    run(runtime, {"scatter, 1 head x 64 a rank", Operation::ScatterHeads, nRanks, 131072, nRanks, nRanks, 64, false});
    run(runtime, {"scatter, small", Operation::ScatterHeads, nRanks, 64, 32, 32, 128, false});
  }
  run(runtime, {"sum, 4 replicas", Operation::GatherHeads, 8, 131072, 32, 2, 128, true});
}

}  // namespace
}  // namespace ulysses::test

int main() {
  try {
    ulysses::test::runAll();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
