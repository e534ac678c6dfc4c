// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "apart.h"

#include <algorithm>

#include "bench.h"
#include "gather.h"

namespace ulysses::perf {
namespace {

// Beside its times.
struct Row {
  RankResult result;
  uint32_t paths;
};

}  // namespace

Apart::Apart(const Options& options, SharedArea& area, ulyssesComm_t comm)
    : options_(options), area_(area), comm_(comm) {}

void Apart::meet() const { allGather(comm_, options_.ranks, uint8_t{0}); }

void Apart::collectPiece(int contender, int begin, int end) const {
  const auto count = static_cast<size_t>(end - begin);
  std::vector<double> all(count * static_cast<size_t>(options_.ranks));
  allGatherBytes(comm_, options_.ranks, area_.timesUs(contender, options_.rank) + begin,
                 static_cast<int64_t>(count * sizeof(double)), all.data());
  for (int rank = 0; rank < options_.ranks; ++rank)
    std::copy_n(all.data() + static_cast<size_t>(rank) * count, count, area_.timesUs(contender, rank) + begin);
}

void Apart::collectTimes(int contender, int iterations) const {
  constexpr int kPiece = 512;  // 4096 bytes, which fit the smallest chunk between hosts
  for (int begin = 0; begin < iterations; begin += kPiece)
    collectPiece(contender, begin, std::min(begin + kPiece, iterations));
}

// Of the library, the only contender that needs no memory of its peers.
void Apart::collect(const Case& test) const {
  collectTimes(0, scheduleOf(options_, test, 1).iterations());
  const RankSlot& own = area_.slot(Side::kRanks, options_.rank);
  const std::vector<Row> rows = allGather(comm_, options_.ranks, Row{area_.result(0, options_.rank), own.paths});
  for (int rank = 0; rank < options_.ranks; ++rank) {
    const Row& row = rows[static_cast<size_t>(rank)];
    area_.result(0, rank) = row.result;
    area_.slot(Side::kRanks, rank).paths = row.paths;
  }
}

int Apart::share(int exitCode) const { return allGather(comm_, options_.ranks, exitCode).front(); }

}  // namespace ulysses::perf
