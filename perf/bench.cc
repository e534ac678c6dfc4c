// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <algorithm>

#include "system_info.h"

namespace ulysses::perf {
namespace {

constexpr uint64_t kFirstSeed = 1, kSecondSeed = 2;

// Enough that a block of one contender is several iterations: the first after another contender's is not typical.
int defaultIterations(int64_t bytesOfAllRanks) {
  constexpr int64_t kMiB = int64_t{1} << 20;
  if (bytesOfAllRanks > 64 * kMiB) return 40;
  if (bytesOfAllRanks > 8 * kMiB) return 80;
  return bytesOfAllRanks > kMiB ? 200 : 1000;
}

}  // namespace

Schedule scheduleOf(const Options& options, const Case& test, int nContenders) {
  constexpr int kRounds = 10;
  const int64_t bytes = test.largestReceivedBytes() * test.ranks;
  const int iterations = options.iterations > 0 ? options.iterations : defaultIterations(bytes);
  const int warmups = options.warmups >= 0 ? options.warmups : std::max(2, iterations / 10);
  if (nContenders == 1) return {warmups, 1, iterations, 0};
  // A contender starts its block with the caches full of another one's data, hence the warm-up.
  const int block = std::max(1, iterations / kRounds);
  return {warmups, (iterations + block - 1) / block, block, block < 10 ? 1 : 2};
}

Bench::Bench(const Options& options, SharedArea& area, Side side, int rank, bool withMpi)
    : options_(options),
      area_(area),
      side_(side),
      rank_(rank),
      withMpi_(withMpi),
      barrier_(area, side, rank),
      turn_(static_cast<uint32_t>(side)) {}

// Even turns are the ranks', odd ones the helper's; without a helper every turn is one's own.
void Bench::beginTurn() {
  if (!withMpi_) return;
  enter(Phase::kWaiting);
  waitUntilAtLeast(area_.turn(), turn_);
  turn_ += kSides;
}

void Bench::endTurn() {
  barrier_.wait();
  if (withMpi_ && rank_ == 0) storeAndWake(area_.turn(), turn_ - 1);
}

// All ranks at once, while nobody's mappings change: pages that several map are then counted once in all.
int64_t Bench::memoryOfRank() {
  barrier_.wait();
  const int64_t bytes = proportionalBytes();
  barrier_.wait();
  return bytes;
}

void Bench::measure(const Schedule& schedule, std::vector<Entry>& entries) {
  const int64_t memoryBefore = memoryOfRank();
  for (Entry& entry : entries) {
    area_.result(entry.index, rank_) = {};
    enter(Phase::kVerifying);
    verify(entry, kFirstSeed);
    enter(Phase::kWarming);
    for (int i = 0; i < schedule.warmups; ++i) {
      entry.contender->exchange();
      entry.contender->finish();
      area_.slot(side_, rank_).beat();
    }
  }
  endTurn();
  for (int round = 0; round < schedule.rounds; ++round) {
    beginTurn();
    enter(Phase::kTiming);
    for (const Entry& entry : entries) timeBlock(entry, schedule, round);
    endTurn();
  }
  beginTurn();
  for (Entry& entry : entries) {
    enter(Phase::kTiming);
    timeBackToBack(entry, schedule.iterations());
    enter(Phase::kVerifying);
    checkAgain(entry);
  }
  const int64_t memoryAfter = memoryOfRank();
  if (!entries.empty()) area_.result(entries.front().index, rank_).extraMemoryBytes = memoryAfter - memoryBefore;
  for (Entry& entry : entries) entry.contender->release();
  barrier_.wait();
  entries.clear();
  endTurn();
}

void Bench::verify(Entry& entry, uint64_t seed) {
  Contender& contender = *entry.contender;
  contender.fill(seed);
  contender.poisonOutputs();
  barrier_.wait();  // nobody's input or output is touched while a peer still prepares its own
  contender.exchange();
  contender.finish();
  barrier_.wait();
  RankResult& result = area_.result(entry.index, rank_);
  if (options_.check) result.wrong += contender.countWrong(seed);
  result.damagedGuardBytes = std::max(result.damagedGuardBytes, contender.damagedGuardBytes());
  barrier_.wait();
}

// What timing left, and once more with other values: an exchange that returned the last result again would show.
void Bench::checkAgain(Entry& entry) {
  if (options_.check) area_.result(entry.index, rank_).wrong += entry.contender->countWrong(kFirstSeed);
  barrier_.wait();
  verify(entry, kSecondSeed);
}

void Bench::timeBlock(const Entry& entry, const Schedule& schedule, int round) {
  Contender& contender = *entry.contender;
  double* times = area_.timesUs(entry.index, rank_) + static_cast<ptrdiff_t>(round) * schedule.block;
  for (int i = -schedule.blockWarmups; i < schedule.block; ++i) {
    if (options_.fresh) contender.rewriteInputs();
    contender.finish();
    barrier_.wait();
    contender.startClock();
    contender.exchange();
    if (options_.consume) contender.readOutputs();
    const double elapsed = contender.stopClockUs();
    if (i >= 0) times[i] = elapsed;
    area_.slot(side_, rank_).beat();
  }
}

void Bench::timeBackToBack(const Entry& entry, int iterations) {
  RankSlot& slot = area_.slot(side_, rank_);
  barrier_.wait();
  entry.contender->startClock();
  for (int i = 0; i < iterations; ++i) {
    entry.contender->exchange();
    slot.beat();
  }
  area_.result(entry.index, rank_).backToBackUs = entry.contender->stopClockUs() / iterations;
  barrier_.wait();
}

}  // namespace ulysses::perf
