// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gpu/bench_ranks.h"

#include <stdexcept>

#include "cuda/kernels.h"
#include "gpu/bench_kernels.h"
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
  offsets.reserve(static_cast<std::size_t>(test.ranks));
  for (int peer = 0; peer < test.ranks; ++peer) offsets.push_back(offsetsOf(perf::permuteSizesOf(test, peer)));
  return perf::planPermute(test, rank, offsets);
}

std::int64_t totalOf(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> all = sizes;
  all.push_back(0);
  return std::max(offsetsOf(all).back(), kAlignment);
}

}  // namespace

BenchRank::BenchRank(CudaRuntime& runtime, const BenchCase& run, const perf::Case& test, int rank)
    : engine_(run.engine),
      nTensors_(test.nTensors()),
      sizes_(perf::permuteSizesOf(test, rank)),
      offsets_(offsetsOf(sizes_)),
      plan_(planOf(run, rank)),
      permute_(permuteOf(test, rank)),
      end_(runtime, {.rank = rank, .nRanks = run.nRanks, .timeoutMs = 3'000}),
      call_(end_.planMemory(), *plan_, 1, device::kTilePieces, copiesOf(run, *plan_)),
      arenaBytes_(totalOf(sizes_)),
      arena_(runtime, runtime.allocate(arenaBytes_)),
      pack_(upload(runtime, permute_.pack.boxes)),
      unpack_(upload(runtime, permute_.unpack.boxes)),
      stream_(run.urgent) {}

void BenchRank::enqueueExchange() {
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  for (const DeviceBytes& piece : this->inputs()) inputs.push_back(piece.data);
  for (const DeviceBytes& piece : this->outputs()) outputs.push_back(piece.data);
  if (end_.enqueue(call_, inputs, outputs, stream()) != engine_)
    throw std::runtime_error("the exchange is not by the engine that the case is of");
}

void BenchRank::enqueue(const DeviceMemory& boxes, const perf::BoxList& list) {
  const perf::StridedPass pass = {boxes.as<perf::StridedBox>(), static_cast<std::uint32_t>(list.boxes.size()),
                                  list.tiles, list.unitBytes};
  check(perf::launchStrided(arena(), arena(), pass, stream()), "the launch of the strided copy");
}

std::vector<DeviceBytes> BenchRank::pieces(int first) const {
  std::vector<DeviceBytes> pieces;
  for (int t = first; t < first + nTensors_; ++t)
    pieces.push_back({arena() + offsets_[static_cast<std::size_t>(t)], sizes_[static_cast<std::size_t>(t)]});
  return pieces;
}

BenchRanks::BenchRanks(CudaRuntime& runtime, const BenchCase& run)
    : test_(perfCaseOf(run)), permutes_(perf::whyNoPermute(test_).empty()) {
  std::vector<std::byte*> boards;
  std::vector<device::Segment> segments;
  for (int rank = 0; rank < run.nRanks; ++rank) {
    ranks_.push_back(std::make_unique<BenchRank>(runtime, run, test_, rank));
    boards.push_back(ranks_.back()->end().board());
    segments.push_back(ranks_.back()->segment());
    streams_.push_back(ranks_.back()->stream());
    packed_.push_back(std::make_unique<Event>(cudaEventDisableTiming));
    read_ += test_.receivedBytes(rank);
    for (const DeviceBytes& output : ranks_.back()->outputs()) written_ += output.bytes;
  }
  for (const auto& rank : ranks_) {
    rank->end().connect(boards, run.nRanks);
    rank->end().segments().add(segments, run.engine == Engine::CopyEngine);
  }
  fillInputs();
}

/// After an error some ranks' exchanges still wait for others, by memory that is about to be freed. They have a
/// deadline.
BenchRanks::~BenchRanks() { static_cast<void>(cudaDeviceSynchronize()); }

void BenchRanks::fillInputs() {
  std::uint64_t seed = 0;
  for (const auto& rank : ranks_)
    for (const DeviceBytes& input : rank->inputs())
      check(launchFill(input.data, input.bytes, ++seed << 40, rank->stream()), "the launch of filling inputs");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

void BenchRanks::exchange() {
  for (const auto& rank : ranks_) rank->enqueueExchange();
}

void BenchRanks::permute() {
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    ranks_[i]->enqueuePack();
    packed_[i]->record(streams_[i]);
  }
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    for (const auto& event : packed_) event->holdUp(streams_[i]);
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
