// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_ranks.h"

#include <random>
#include <stdexcept>

#include "cuda/kernels.h"
#include "kernels/device/launch.h"

namespace ulysses::test {
namespace {

constexpr std::int64_t kAlignment = 256;

std::vector<std::int64_t> offsetsOf(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> offsets;
  std::int64_t next = 0;
  for (const std::int64_t size : sizes) {
    offsets.push_back(next);
    next += (size + kAlignment - 1) / kAlignment * kAlignment;
  }
  return offsets;
}

perf::PermutePlan permuteOf(const perf::Case& test, int rank) {
  if (!perf::whyNoPermute(test).empty()) return {};
  std::vector<std::vector<std::int64_t>> offsets;
  for (int peer = 0; peer < test.ranks; ++peer) offsets.push_back(offsetsOf(perf::permuteSizesOf(test, peer)));
  return perf::planPermute(test, rank, offsets);
}

std::int64_t totalOf(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> all = sizes;
  all.push_back(0);
  return std::max(offsetsOf(all).back(), kAlignment);
}

}  // namespace

void check(int result, const char* call) {
  const auto error = static_cast<cudaError_t>(result);
  if (error != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(error));
}

BenchRank::BenchRank(CudaRuntime& runtime, const BenchCase& run, const perf::Case& test, int rank)
    : runtime_(runtime),
      engine_(run.engine),
      nTensors_(test.nTensors()),
      sizes_(perf::permuteSizesOf(test, rank)),
      offsets_(offsetsOf(sizes_)),
      plan_(planOf(run, rank)),
      permute_(permuteOf(test, rank)),
      end_(runtime, {.rank = rank, .nRanks = run.nRanks, .timeoutMs = 10'000}),
      call_(end_.planMemory(), *plan_, 1, device::kTilePieces, copiesOf(run, *plan_)),
      arenaBytes_(totalOf(sizes_)),
      arena_(runtime, runtime.allocate(arenaBytes_)),
      pack_(upload(runtime, permute_.pack.boxes)),
      unpack_(upload(runtime, permute_.unpack.boxes)) {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
}

BenchRank::~BenchRank() { static_cast<void>(cudaStreamDestroy(stream_)); }

void BenchRank::enqueueExchange() {
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  for (int t = 0; t < nTensors_; ++t) {
    inputs.push_back(arena() + offsets_[static_cast<std::size_t>(t)]);
    outputs.push_back(arena() + offsets_[static_cast<std::size_t>(nTensors_ + t)]);
  }
  if (end_.enqueue(call_, inputs, outputs, stream_) != engine_)
    throw std::runtime_error("the exchange is not by the engine that the case is of");
}

void BenchRank::enqueue(const DeviceMemory& boxes, const perf::BoxList& list) {
  const perf::StridedPass pass = {boxes.as<perf::StridedBox>(), static_cast<std::uint32_t>(list.boxes.size()),
                                  list.tiles, list.unitBytes};
  check(perf::launchStrided(arena(), arena(), pass, stream_), "the launch of the strided copy");
}

void BenchRank::fillInputs(unsigned seed) {
  std::mt19937_64 random(seed);
  for (int t = 0; t < nTensors_; ++t) {
    std::vector<std::uint64_t> words(static_cast<std::size_t>(sizes_[static_cast<std::size_t>(t)] / 8));
    for (std::uint64_t& word : words) word = random();
    runtime_.write(arena() + offsets_[static_cast<std::size_t>(t)], words.data(), std::ssize(words) * 8);
  }
}

void BenchRank::clearOutputs() {
  for (int t = nTensors_; t < 2 * nTensors_; ++t) {
    const auto at = static_cast<std::size_t>(t);
    check(cudaMemset(arena() + offsets_[at], 0, static_cast<std::size_t>(sizes_[at])), "cudaMemset");
  }
}

std::vector<std::byte> BenchRank::outputs() const {
  std::vector<std::byte> all;
  for (int t = nTensors_; t < 2 * nTensors_; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const std::size_t before = all.size(), bytes = static_cast<std::size_t>(sizes_[at]);
    all.resize(before + bytes);
    check(cudaMemcpy(all.data() + before, arena() + offsets_[at], bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  }
  return all;
}

BenchRanks::BenchRanks(CudaRuntime& runtime, const BenchCase& run) {
  const perf::Case test = perfCaseOf(run);
  std::vector<std::byte*> boards;
  std::vector<device::Segment> segments;
  for (int rank = 0; rank < run.nRanks; ++rank) {
    ranks_.push_back(std::make_unique<BenchRank>(runtime, run, test, rank));
    boards.push_back(ranks_.back()->end().board());
    segments.push_back(ranks_.back()->segment());
    streams_.push_back(ranks_.back()->stream());
    check(cudaEventCreateWithFlags(&packed_.emplace_back(), cudaEventDisableTiming), "cudaEventCreate");
    read_ += test.receivedBytes(rank);
    for (int t = 0; t < test.nTensors(); ++t) written_ += test.outputBytes(t, rank);
  }
  for (const auto& rank : ranks_) {
    rank->end().connect(boards, run.nRanks);
    rank->end().segments().add(segments, run.engine == Engine::CopyEngine);
  }
}

BenchRanks::~BenchRanks() {
  for (cudaEvent_t event : packed_) static_cast<void>(cudaEventDestroy(event));
}

void BenchRanks::exchange() {
  for (const auto& rank : ranks_) rank->enqueueExchange();
}

void BenchRanks::permute() {
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    ranks_[i]->enqueuePack();
    check(cudaEventRecord(packed_[i], streams_[i]), "cudaEventRecord");
  }
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    for (cudaEvent_t event : packed_) check(cudaStreamWaitEvent(streams_[i], event), "cudaStreamWaitEvent");
    for (const perf::BlockCopy& copy : ranks_[i]->permutePlan().copies)
      check(cudaMemcpyAsync(ranks_[i]->arena() + copy.target,
                            ranks_[static_cast<std::size_t>(copy.peer)]->arena() + copy.source,
                            static_cast<std::size_t>(copy.bytes), cudaMemcpyDeviceToDevice, streams_[i]),
            "cudaMemcpyAsync");
    ranks_[i]->enqueueUnpack();
  }
}

void BenchRanks::requireNoTrouble() const {
  for (const auto& rank : ranks_)
    if (const auto trouble = rank->end().trouble()) throw std::runtime_error(trouble->text);
}

}  // namespace ulysses::test
