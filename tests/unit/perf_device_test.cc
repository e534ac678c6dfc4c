// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What --memory cuda compares with, with the CPU in place of the GPU and ranks as threads: measured by the tool's own
// bench, every element verified.
#include "perf_device.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "bench.h"
#include "compare_device.h"
#include "device_arena.h"
#include "error.h"
#include "permute_plan.h"

namespace ulysses::perf {
namespace {

Options optionsOf(const std::vector<const char*>& words) {
  std::vector<const char*> all = {"ulysses_perf"};
  all.insert(all.end(), words.begin(), words.end());
  return parseOptions(static_cast<int>(all.size()), all.data()).value();
}

std::string errorOf(const std::vector<const char*>& words) {
  try {
    (void)optionsOf(words);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// Floor and permutation of a case, by all ranks; the passes that a rank of it made for one exchange.
void runAll(const Options& options) {
  const Case test = makeCase(options, options.sequence);
  const SharedArea area = SharedArea::create(test.ranks, 8);
  const SharedStorage storage(test.ranks, devicePermuteStripeBytes());
  const auto runRank = [&](int rank) {
    CpuDevice device;
    Bench bench(options, const_cast<SharedArea&>(area), Side::kRanks, rank, false);
    bench.run(test, 2, [&] {
      std::vector<Entry> entries;
      entries.push_back({0, makeDeviceFloor(test, rank, device)});
      entries.push_back({1, makeDevicePermute(test, rank, device, storage, bench.barrier())});
      return entries;
    });
    EXPECT_EQ(device.held, 0) << "memory is left";
    EXPECT_EQ(device.opened, 0) << "memory of a peer is still mapped";
  };
  std::vector<std::jthread> ranks;
  for (int rank = 0; rank < test.ranks; ++rank) ranks.emplace_back(runRank, rank);
  ranks.clear();
  for (int rank = 0; rank < test.ranks; ++rank)
    for (const int contender : {0, 1}) {
      EXPECT_EQ(area.result(contender, rank).wrong, 0) << (contender == 0 ? "floor" : "permute") << " of rank " << rank;
      EXPECT_EQ(area.result(contender, rank).damagedGuardBytes, 0) << "rank " << rank;
    }
}

TEST(DeviceComparisons, MoveEveryElement) {
  const std::vector<std::vector<const char*>> runs = {
      {"scatter_heads", "--seq", "24", "--heads", "8", "--head-dim", "16"},
      {"gather_heads", "--seq", "24", "--heads", "8", "--head-dim", "16", "--layout", "bhsd", "--batch", "2"},
      {"qkv", "--seq", "64", "--heads", "8", "--kv-heads", "2", "--head-dim", "24", "--v-head-dim", "5", "--dtype",
       "f32"},
      {"qkv", "--seq", "64", "--heads", "8", "--kv-heads", "4", "--head-dim", "3", "--dtype", "u8", "--layout", "bshd",
       "--batch", "3", "--order", "zigzag"},
      {"scatter_heads", "--tokens", "7,0,13,1", "--query-heads", "1,5,0,2", "--heads", "8", "--head-dim", "9"},
      {"qkv", "--backward", "--seq", "32", "--heads", "8", "--kv-heads", "8", "--layout", "bhsd", "--dtype", "f64"}};
  for (std::vector<const char*> run : runs) {
    std::string line;
    for (const char* const word : run) line += std::string(" ") + word;
    SCOPED_TRACE(line);
    run.insert(run.end(), {"--ranks", "4", "--memory", "cuda", "-n", "3"});
    runAll(optionsOf(run));
  }
}

TEST(DeviceComparisons, OneRank) {
  runAll(optionsOf({"qkv", "--ranks", "1", "--seq", "8", "--heads", "2", "--memory", "cuda", "-n", "2"}));
}

struct Passes {
  const char *operation, *layout, *batch;
  int passes;
};

// By hand: blocks of a rank are contiguous where heads are outermost, on the side of the heads where tokens are.
TEST(PermutePlan, TakesTheFewestPasses) {
  for (const Passes& run : std::vector<Passes>{{"scatter_heads", "sbhd", "1", 1},
                                               {"gather_heads", "sbhd", "1", 1},
                                               {"scatter_heads", "bshd", "1", 1},
                                               {"scatter_heads", "bshd", "2", 2},
                                               {"gather_heads", "bshd", "2", 2},
                                               {"scatter_heads", "bhsd", "1", 1},
                                               {"scatter_heads", "bhsd", "2", 2}}) {
    const Case test = makeCase(optionsOf({run.operation, "--ranks", "4", "--layout", run.layout, "--batch", run.batch,
                                          "--seq", "64", "--heads", "8"}),
                               64);
    std::vector<std::vector<int64_t>> offsets;
    for (int rank = 0; rank < 4; ++rank) offsets.push_back(DeviceArena::offsetsOf(permuteSizesOf(test, rank)));
    EXPECT_EQ(planPermute(test, 1, offsets).passes(), run.passes)
        << run.operation << " " << run.layout << " batch " << run.batch;
  }
}

TEST(PermutePlan, RefusesSums) {
  const Options sums = optionsOf({"qkv", "--backward", "--ranks", "4", "--kv-heads", "2", "--seq", "64"});
  EXPECT_NE(whyNoPermute(makeCase(sums, 64)).find("dK is summed"), std::string::npos);
  const Options moves = optionsOf({"qkv", "--ranks", "4", "--kv-heads", "2", "--seq", "64"});
  EXPECT_EQ(whyNoPermute(makeCase(moves, 64)), "");
}

TEST(Quotient, IsTheQuotient) {
  std::mt19937 random(1);
  const auto below = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
  constexpr uint32_t kMost = (uint32_t{1} << 31) - 1;
  for (int i = 0; i < 200'000; ++i) {
    const uint32_t divisor = 1 + below(kMost >> below(31)) % kMost, n = below(kMost >> below(31));
    const uint32_t multiple = n / divisor * divisor;
    for (const uint32_t dividend : {n, kMost, multiple, std::min(multiple + divisor - 1, kMost)})
      ASSERT_EQ(Quotient::by(divisor).of(dividend), dividend / divisor) << dividend << " / " << divisor;
  }
}

// Each byte once, whatever the extents; boxes of 2^31 units and more in parts.
TEST(BoxList, PartsOfHugeCopiesAreTheCopy) {
  const int64_t tebi = int64_t{1} << 40;
  const std::vector<Move> moves = {{16, 32, 3, tebi, tebi / 2, 5, tebi / 8, tebi / 16, tebi / 16, 0},
                                   {0, 0, 1, 0, 0, 1, 0, 0, tebi + 48, 0}};
  const BoxList list = boxesOf(moves);
  EXPECT_EQ(list.unitBytes, 16);
  int64_t bytes = 0, next = 0;
  uint32_t tiles = 0;
  for (const StridedBox& box : list.boxes) {
    EXPECT_LT(box.units, uint32_t{1} << 31);
    EXPECT_EQ(box.firstTile, tiles);
    tiles += (box.units + kTileUnits - 1) / kTileUnits;
    bytes += int64_t{box.units} * 16;
    if (box.source != box.target) continue;  // of the first
    EXPECT_EQ(box.source, next) << "a gap";
    next += int64_t{box.units} * 16;
  }
  EXPECT_EQ(next, tebi + 48);
  EXPECT_EQ(bytes, moves[0].total() + moves[1].total());
}

TEST(BoxList, UnitsFitEverything) {
  const auto unitOf = [](int64_t source, int64_t row, int64_t bytes) {
    return boxesOf({{source, 0, 1, 0, 0, 2, row, bytes, bytes, 0}}).unitBytes;
  };
  EXPECT_EQ(unitOf(0, 256, 64), 16);
  EXPECT_EQ(unitOf(8, 256, 64), 8);
  EXPECT_EQ(unitOf(0, 36, 32), 4);
  EXPECT_EQ(unitOf(0, 64, 6), 2);
  EXPECT_EQ(unitOf(0, 64, 7), 1);
  EXPECT_EQ(boxesOf({{0, 0, 0, 0, 0, 2, 16, 16, 16, 0}}).boxes.size(), 0u);
}

TEST(CudaOptions, NameWhatCannotBe) {
  EXPECT_EQ(errorOf({"qkv", "--memory", "cuda", "--layout", "bhsd", "--dtype", "f8e4m3", "--compare", "floor,permute"}),
            "");
  EXPECT_NE(errorOf({"attention", "--memory", "cuda"}).find("--memory cuda: attention takes host memory"),
            std::string::npos);
  EXPECT_NE(errorOf({"qkv", "--memory", "cuda", "--compare", "mpi"}).find("--compare mpi"), std::string::npos);
  EXPECT_NE(errorOf({"qkv", "--memory", "cuda", "--floor-kernel", "pull-x4"}).find("--floor-kernel"),
            std::string::npos);
  EXPECT_NE(errorOf({"qkv", "--memory", "gpu"}).find("registered, plain, cuda"), std::string::npos);
}

}  // namespace
}  // namespace ulysses::perf
