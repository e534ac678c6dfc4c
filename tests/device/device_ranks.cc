// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "device_ranks.h"

#include <algorithm>

#include "kernels/device/launch.h"

namespace ulysses::test {

namespace {
constexpr std::uint64_t kHash = 42;
}

RankOnDevice::RankOnDevice(const DeviceCase& run, int rank, std::int64_t timeoutMs, CopyChoice choice)
    : run_(run),
      rank_(rank),
      device_(makeTestDevice()),
      end_(device_->runtime(), {.rank = rank, .nRanks = run.nRanks(), .timeoutMs = timeoutMs}),
      call_(end_.planMemory(), run.plan(rank), kHash, run.work(rank).work().tilePieces, std::move(choice)),
      arena_(upload(device_->runtime(), run.before(rank))) {
  for (std::size_t t = 0; t < run.plan(rank).tensors().size(); ++t) {
    inputs_.push_back(arena_.data() + run.offsetOf(rank, t, true));
    outputs_.push_back(arena_.data() + run.offsetOf(rank, t, false));
  }
}

void RankOnDevice::restore() {
  const Bytes& before = run_.before(rank_);
  device_->runtime().write(arena_.data(), before.data(), std::ssize(before));
}

DeviceRanks::DeviceRanks(const DeviceCase& run, std::int64_t timeoutMs, const Copying& copying) : run_(run) {
  std::vector<std::byte*> boards;
  for (int rank = 0; rank < run.nRanks(); ++rank) {
    CopyChoice choice = copying && copying(rank) ? copiesOf(run, rank) : CopyChoice();
    ranks_.push_back(std::make_unique<RankOnDevice>(run, rank, timeoutMs, std::move(choice)));
    boards.push_back(ranks_.back()->end().board());
  }
  for (const auto& rank : ranks_) rank->end().connect(boards, run.nRanks());
}

void DeviceRanks::registerArenas(bool windows) {
  std::vector<device::Segment> arenas;
  for (int rank = 0; rank < run_.nRanks(); ++rank)
    arenas.push_back({(*this)[rank].arena(), std::ssize(run_.before(rank))});
  for (const auto& rank : ranks_) rank->end().segments().add(arenas, windows);
}

int DeviceRanks::enqueueAll(int first) {
  int copying = 0;
  for (int i = 0; i < run_.nRanks(); ++i)
    copying += (*this)[(first + i) % run_.nRanks()].enqueue() == Engine::CopyEngine;
  return copying;
}

void DeviceRanks::wait() {
  for (const auto& rank : ranks_) rank->device().wait();
}

void DeviceRanks::restore() {
  for (const auto& rank : ranks_) rank->restore();
}

std::string DeviceRanks::difference() {
  for (int rank = 0; rank < run_.nRanks(); ++rank) {
    const std::string who = "rank " + std::to_string(rank) + ": ";
    if (const auto trouble = (*this)[rank].end().trouble()) return who + trouble->text;
    const Bytes actual = (*this)[rank].bytes();
    const auto [at, wanted] = std::mismatch(actual.begin(), actual.end(), run_.after(rank).begin());
    if (at != actual.end())
      return who + "byte " + std::to_string(at - actual.begin()) + " of " + std::to_string(actual.size()) + " is " +
             std::to_string(static_cast<int>(*at)) + ", not " + std::to_string(static_cast<int>(*wanted));
  }
  return "";
}

CopyChoice copiesOf(const DeviceCase& run, int rank) {
  constexpr std::int64_t kAny = std::int64_t{1} << 40;
  return chooseCopies(run.plan(rank), [&](int peer) { return run.run().tensorsOf(peer); },
                      {.mostCopies = kAny, .leastBytes = 0});
}

std::uint64_t fullSeed(int nRanks) {
  for (std::uint64_t seed = 0;; ++seed) {
    const DeviceCase run(nRanks, seed, device::kTilePieces);
    bool full = true;
    for (int rank = 0; rank < nRanks; ++rank) full = full && !run.work(rank).pushes().empty();
    if (full) return seed;
  }
}

std::uint64_t copyingSeed(int nRanks) {
  for (std::uint64_t seed = 0;; ++seed) {
    const DeviceCase run(nRanks, seed, device::kTilePieces, DeviceCase::Layouts::Windows);
    bool full = true;
    for (int rank = 0; rank < nRanks; ++rank) full = full && !copiesOf(run, rank).copies.empty();
    if (full) return seed;
  }
}

}  // namespace ulysses::test
