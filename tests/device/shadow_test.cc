// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Exchanges of random geometries where every rank's arena has a shadow that peers reach in its place. Runs with threads
// for kernels, and on a GPU (tests/gpu).
#include <gtest/gtest.h>

#include <memory>

#include "device_case.h"
#include "path/cuda/device_rank.h"
#include "path/cuda/shadows.h"
#include "test_device.h"

namespace ulysses::test {
namespace {

class ShadowedRank {
 public:
  ShadowedRank(const DeviceCase& run, int rank)
      : run_(run),
        rank_(rank),
        device_(makeTestDevice()),
        end_(runtime(), {.rank = rank, .nRanks = run.nRanks(), .timeoutMs = 60'000}),
        call_(end_.planMemory(), run.plan(rank), 1, run.work(rank).work().tilePieces),
        arena_(upload(runtime(), run.before(rank))),
        shadow_(runtime(), runtime().allocate(bytes())) {
    shadows_.add(arena_.data(), bytes(), shadow_.data());
    for (std::size_t t = 0; t < run.plan(rank).tensors().size(); ++t) {
      inputs_.push_back(arena_.data() + run.offsetOf(rank, t, true));
      outputs_.push_back(arena_.data() + run.offsetOf(rank, t, false));
    }
  }
  ~ShadowedRank() { device_->wait(); }

  DeviceRank& end() { return end_; }
  device::Segment shadow() const { return {shadow_.data(), bytes()}; }
  void enqueue() {
    const ShadowedCall call(shadows_, call_, inputs_, outputs_);
    call.copyIn(runtime(), end_.lease(), end_.blocks(), device_->stream());
    end_.enqueue(call_, call.inputs(), call.outputs(), device_->stream());
    call.copyOut(runtime(), end_.lease(), end_.blocks(), device_->stream());
  }
  /// Byte for byte, what is between the outputs' rows included.
  bool isRight() {
    device_->wait();
    return !end_.trouble() && device_->read(arena_.data(), run_.before(rank_).size()) == run_.after(rank_);
  }

 private:
  DeviceRuntime& runtime() { return device_->runtime(); }
  std::int64_t bytes() const { return std::ssize(run_.before(rank_)); }

  const DeviceCase& run_;
  int rank_;
  std::unique_ptr<TestDevice> device_;
  DeviceRank end_;
  DeviceCall call_;
  DeviceMemory arena_, shadow_;
  Shadows shadows_;
  std::vector<const std::byte*> inputs_;
  std::vector<std::byte*> outputs_;
};

TEST(ShadowedCall, RandomGeometriesAreTheOraclesBits) {
  for (std::uint64_t seed = 0; seed < deviceCases(); ++seed) {
    const DeviceCase run(static_cast<int>(seed % 8) + 1, seed, 64);
    std::vector<std::unique_ptr<ShadowedRank>> ranks;
    std::vector<std::byte*> boards;
    std::vector<device::Segment> shadows;
    for (int rank = 0; rank < run.nRanks(); ++rank) {
      const auto& added = ranks.emplace_back(std::make_unique<ShadowedRank>(run, rank));
      boards.push_back(added->end().board());
      shadows.push_back(added->shadow());
    }
    for (const auto& rank : ranks) {
      rank->end().connect(boards, run.nRanks());
      rank->end().segments().add(shadows);
    }
    for (int i = 0; i < 2; ++i)
      for (const auto& rank : ranks) rank->enqueue();
    for (const auto& rank : ranks)
      ASSERT_TRUE(rank->isRight()) << "seed " << seed << ", " << run.nRanks() << " ranks, " << toText(run.run().spec);
  }
}

TEST(Shadows, AreFoundByWhatTheyHold) {
  Shadows shadows;
  std::byte memory[128], shadow[64];
  shadows.add(memory + 32, 64, shadow);
  EXPECT_EQ(shadows.find(memory + 40, memory + 96), shadow + 8);
  EXPECT_EQ(shadows.find(memory + 40, memory + 97), nullptr);
  EXPECT_EQ(shadows.find(memory + 31, memory + 40), nullptr);
  shadows.remove(shadow);
  EXPECT_TRUE(shadows.empty());
}

}  // namespace
}  // namespace ulysses::test
