// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "cpu_ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "cpu_machine.h"
#include "kernels/device/exchange.h"

namespace ulysses::test {

CpuRanks::CpuRanks(const DeviceCase& run, std::uint32_t epoch) : run_(run) {
  const auto n = static_cast<std::size_t>(run.nRanks());
  segments_.resize(n * DeviceCase::kSegments);
  reports_.resize(n);
  constexpr std::size_t kLine = alignof(device::Slot);
  for (int rank = 0; rank < run.nRanks(); ++rank) {
    arenas_.push_back(run.before(rank));
    Bytes& memory = boardMemory_.emplace_back(device::Board::bytesFor(run.nRanks()) + kLine);
    const std::size_t past = reinterpret_cast<std::uintptr_t>(memory.data()) % kLine;
    boards_.push_back(memory.data() + (kLine - past) % kLine);
    board(rank).local().epoch = epoch;
  }
  for (int rank = 0; rank < run.nRanks(); ++rank) run.describe(rank, arena(rank).data(), &segment(rank, 0));
  for (int rank = 0; rank < run.nRanks(); ++rank)
    calls_.push_back(run.call(rank, {.boards = boards_.data(),
                                     .segments = segments_.data(),
                                     .report = &report(rank),
                                     .work = run.work(rank).work(),
                                     .arena = arena(rank).data()}));
}

std::string CpuRanks::difference(int rank, const Bytes& expected) const {
  const Bytes& arena = arenas_[static_cast<std::size_t>(rank)];
  const auto [at, wanted] = std::mismatch(arena.begin(), arena.end(), expected.begin());
  if (at == arena.end()) return "";
  return "rank " + std::to_string(rank) + ", byte " + std::to_string(at - arena.begin()) + " of " +
         std::to_string(arena.size()) + ": " + std::to_string(static_cast<int>(*at)) + " for " +
         std::to_string(static_cast<int>(*wanted));
}

std::uint64_t sweepCases() {
  const char* const text = std::getenv("ULYSSES_TEST_CASES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 2000;
}

void deliverLetters(CpuRanks& ranks, int nRanks) {
  for (int to = 0; to < nRanks; ++to)
    for (int from = 0; from < nRanks; ++from) ranks.board(to).from(from).letter = ranks.call(from).letter;
}

void copyPitched(std::byte* to, const std::byte* from, const PitchedShape& shape) {
  for (const PitchedShape::End& end : {shape.source, shape.destination}) {
    EXPECT_GE(end.pitch, shape.width);
    EXPECT_LE(end.pitch, kMostPitch);
    EXPECT_GE(end.rows, shape.height);
  }
  for (std::int64_t slice = 0; slice < shape.depth; ++slice)
    for (std::int64_t row = 0; row < shape.height; ++row)
      std::memcpy(to + shape.offsetOf(shape.destination, slice, row), from + shape.offsetOf(shape.source, slice, row),
                  static_cast<std::size_t>(shape.width));
}

void launch(const device::Arguments& call, std::uint32_t blocks, std::uint32_t threads) {
  launch(call, blocks, threads, blocks);
}

void launch(const device::Arguments& call, std::uint32_t blocks, std::uint32_t threads, std::uint32_t runningBlocks) {
  std::vector<std::unique_ptr<CpuBlock>> shared;
  std::vector<std::jthread> running;
  for (std::uint32_t block = 0; block < runningBlocks; ++block) {
    CpuBlock* const mine = shared.emplace_back(std::make_unique<CpuBlock>(threads)).get();
    for (std::uint32_t thread = 0; thread < threads; ++thread)
      running.emplace_back([=, &call] {
        CpuMachine machine({block, blocks, thread, threads}, mine);
        call.sums ? device::exchange<true>(call, machine) : device::exchange<false>(call, machine);
      });
  }
}

void launchCopies(const device::ShardCopies& call, std::uint32_t blocks, std::uint32_t threads) {
  for (std::uint32_t block = 0; block < blocks; ++block)
    for (std::uint32_t thread = 0; thread < threads; ++thread)
      device::copyShards(call, SerialMachine{block, blocks, thread, threads});
}

void launchHandover(const device::HandoverCall& call, std::uint32_t threads) {
  CpuBlock shared(threads);
  std::vector<std::jthread> running;
  for (std::uint32_t thread = 0; thread < threads; ++thread)
    running.emplace_back([&, thread] {
      CpuMachine machine({0, 1, thread, threads}, &shared);
      device::handOver(call, machine);
    });
}

}  // namespace ulysses::test
