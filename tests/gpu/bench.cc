// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// gpu_bench: the exchange kernels beside copies of the same bytes within the device, in turns, by CUDA events. All
// ranks are on one GPU, in one process, so what is measured is the kernels and the memory, not a link.
#include <algorithm>
#include <cstdio>
#include <functional>

#include "gpu_rank.h"
#include "kernels/device/launch.h"
#include "plan/plan.h"

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

/// One rank's buffers for a contiguous SBHD exchange of one tensor.
struct BenchRank {
  BenchRank(const BenchCase& shape, int rank);

  std::unique_ptr<Plan> plan;
  std::unique_ptr<DeviceWork> work;
  std::int64_t inputBytes = 0, outputBytes = 0;
  std::unique_ptr<DeviceBuffer> input, output;
  std::unique_ptr<GpuRank> gpu;
  std::unique_ptr<GpuWork> gpuWork;
  device::Arguments call;
};

Strides sbhdOf(std::int64_t groups, std::int64_t groupSize, std::int64_t headDim) {
  const std::int64_t token = groups * groupSize * headDim;
  return {token, token, groupSize * headDim, headDim};
}

BenchRank::BenchRank(const BenchCase& shape, int rank) {
  Geometry geometry;
  geometry.nRanks = shape.nRanks;
  geometry.sequence = shape.sequence;
  geometry.heads = shape.heads;
  geometry.kvHeads = shape.kvHeads;
  const bool kv = shape.kvHeads != shape.heads, scatter = shape.operation == Operation::ScatterHeads;
  const HeadSplit heads = distribute(geometry).heads;
  TensorSpec tensor;
  tensor.type = DataType::BF16;
  tensor.kind = kv ? TensorKind::Kv : TensorKind::Query;
  tensor.sum = shape.sum;
  tensor.headDim = shape.headDim;
  const std::int64_t localKv = heads.of(TensorKind::Kv)[static_cast<std::size_t>(rank)].count;
  const Strides sequenceSide = sbhdOf(shape.kvHeads, 1, shape.headDim), headSide = sbhdOf(localKv, 1, shape.headDim);
  tensor.input = scatter ? sequenceSide : headSide;
  tensor.output = scatter ? headSide : sequenceSide;
  plan = std::make_unique<Plan>(shape.operation, geometry, std::span(&tensor, 1), rank);
  work = std::make_unique<DeviceWork>(*plan, device::kTilePieces);
  const auto bytesOf = [&](Side side) {
    const auto s = shardShape(plan->geometry(), plan->distribution(), tensor, side, rank);
    return s.tokens * s.batch * s.groups * s.headsPerGroup * tensor.rowBytes();
  };
  inputBytes = bytesOf(plan->sourceSide());
  outputBytes = bytesOf(plan->destinationSide());
  input = std::make_unique<DeviceBuffer>(static_cast<std::size_t>(inputBytes));
  output = std::make_unique<DeviceBuffer>(static_cast<std::size_t>(outputBytes));
  gpu = std::make_unique<GpuRank>(shape.nRanks, 0);
  gpuWork = std::make_unique<GpuWork>(*work, shape.nRanks);
}

/// The place that peers get of a rank: one segment, its input where it is pulled.
device::Segment segmentOf(const BenchRank& rank) {
  const bool pulled = rank.work->isPulled(0);
  return {pulled ? rank.input->data() : rank.output->data(), pulled ? rank.inputBytes : rank.outputBytes};
}

void join(std::vector<std::unique_ptr<BenchRank>>& ranks) {
  std::vector<std::byte*> boards;
  std::vector<device::Segment> segments;
  for (const auto& rank : ranks) {
    boards.push_back(rank->gpu->board());
    segments.push_back(segmentOf(*rank));
  }
  for (const auto& rank : ranks) {
    rank->gpu->join(boards, segments);
    const DeviceMemory memory = rank->gpu->memory(rank->gpuWork->work(), nullptr);
    device::Arguments& call = rank->call;
    call.rank = rank->plan->rank();
    call.nRanks = rank->plan->nRanks();
    call.nTensors = 1;
    call.segmentsPerRank = 1;
    call.boards = memory.boards;
    call.segments = memory.segments;
    call.report = memory.report;
    call.timeoutNs = 10'000'000'000;
    call.work = memory.work;
    call.inputs[0] = rank->input->data();
    call.outputs[0] = rank->output->data();
    call.letter.tensors[0] = rank->work->placeOf(*rank->plan, 0);
  }
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

void run(const BenchCase& shape) {
  std::vector<std::unique_ptr<BenchRank>> ranks;
  std::vector<cudaStream_t> streams;
  std::int64_t received = 0, read = 0;
  for (int rank = 0; rank < shape.nRanks; ++rank) {
    ranks.push_back(std::make_unique<BenchRank>(shape, rank));
    streams.push_back(ranks.back()->gpu->stream());
    received += ranks.back()->outputBytes;
    read += ranks.back()->plan->bytesReceived();
  }
  join(ranks);
  const int blocks = blocksFor(shape.nRanks);
  const DeviceBuffer from(static_cast<std::size_t>(received)), to(static_cast<std::size_t>(received));
  std::vector<float> ours, copies;
  for (int round = 0; round < kRounds + kWarmup; ++round) {
    const float exchange = timed(streams, [&](int rank) {
      const auto error = device::launchExchange(ranks[static_cast<std::size_t>(rank)]->call, blocks,
                                                streams[static_cast<std::size_t>(rank)]);
      if (!error.empty()) throw std::runtime_error(error);
    });
    const float copy = timed({streams[0]}, [&](int) {
      check(cudaMemcpyAsync(to.data(), from.data(), static_cast<std::size_t>(received), cudaMemcpyDeviceToDevice,
                            streams[0]),
            "cudaMemcpyAsync");
    });
    if (round < kWarmup) continue;
    ours.push_back(exchange);
    copies.push_back(copy);
  }
  for (const auto& rank : ranks)
    if (rank->gpu->report().state != 0)
      throw std::runtime_error("trouble " + std::to_string(rank->gpu->report().state));
  // A copy reads and writes each byte once; sums read more than they write.
  const double moved = static_cast<double>(read + received), copied = 2.0 * static_cast<double>(received);
  const double rate = moved / median(ours) / 1e6, copyRate = copied / median(copies) / 1e6;
  std::printf("%-28s %5d %10.1f %10.3f %10.3f %9.0f %9.0f %8.2f\n", shape.name, shape.nRanks,
              static_cast<double>(received) / 1048576, median(ours), median(copies), rate, copyRate, rate / copyRate);
}

void runAll() {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  std::printf("# %s, %d multiprocessors; all ranks on it, one process; medians of %d\n", properties.name,
              properties.multiProcessorCount, kRounds);
  std::printf("# %-26s %5s %10s %10s %10s %9s %9s %8s\n", "case", "ranks", "MiB", "ours ms", "copy ms", "ours GB/s",
              "copy GB/s", "ratio");
  for (const int nRanks : {2, 4, 8}) {
    for (const std::int64_t sequence : {8192, 32768, 131072})
      run({"scatter bf16 H=32 D=128", Operation::ScatterHeads, nRanks, sequence, 32, 32, 128, false});
    run({"gather bf16 H=32 D=128", Operation::GatherHeads, nRanks, 32768, 32, 32, 128, false});
    run({"scatter, 1 head x 64 a rank", Operation::ScatterHeads, nRanks, 131072, nRanks, nRanks, 64, false});
    run({"scatter, small", Operation::ScatterHeads, nRanks, 64, 32, 32, 128, false});
  }
  run({"sum, 4 replicas", Operation::GatherHeads, 8, 131072, 32, 2, 128, true});
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
