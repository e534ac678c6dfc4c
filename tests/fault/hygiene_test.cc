// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Row D8 of the fault matrix in small: nothing grows with communicators made, exchanges run and segments freed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "fault/census.h"
#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

/// Anonymous mappings come and go with the allocator and with threads' stacks. Address sanitizer keeps freed memory in
/// quarantine; thread sanitizer keeps several mappings for each thread there ever was, so they tell nothing there.
#if defined(__SANITIZE_THREAD__)
constexpr std::int64_t kMappingSlack = 100'000;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::int64_t kMappingSlack = 100;
#else
constexpr std::int64_t kMappingSlack = 8;
#endif

constexpr int kRanks = 2;

/// Mappings of segments that are not this process's own are read-only.
int countPeerSegments() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);)
    count += line.find("memfd:ulysses (deleted)") != std::string::npos && line.find(" r--s ") != std::string::npos;
  return count;
}

TEST(Hygiene, CreateExchangeDestroy) {
  constexpr int kCycles = 200, kWarmUp = 20;
  Team team(
      kRanks,
      [](Rank& rank) {
        // Each rank makes every other id, so that rendezvous threads come and go in both.
        Census before;
        for (int cycle = 0; cycle < kWarmUp + kCycles; ++cycle) {
          if (cycle == kWarmUp) {
            usleep(200'000);  // the rendezvous thread of the last cycle may be on its way out
            before = takeCensus();
          }
          ulyssesUniqueId_t& id = rank.sheet().id[cycle % 2];
          if (rank.rank() == cycle % 2) rank.expectResult(ulyssesGetUniqueId(&id), ulyssesSuccess, "id");
          rank.meet();
          ulyssesComm_t comm = nullptr;
          const ulyssesResult_t joined = ulyssesCommInitRank(&comm, kRanks, &id, rank.rank());
          if (!rank.expectResult(joined, ulyssesSuccess, "cycle " + std::to_string(cycle))) return;
          {
            Trial trial(rank.rank(), kRanks, {.registered = cycle % 3 != 0});
            rank.expectNone(trial.exchange(comm, cycle), "cycle " + std::to_string(cycle));
          }
          rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
        }
        rank.expectNone(changeSince(before), "after all cycles");
        const Census after = takeCensus();
        rank.expect(after.files == before.files,
                    "mapped files " + std::to_string(before.files) + " -> " + std::to_string(after.files));
        // A malloc arena or a thread's stack may be kept; a leak would be a line or more a cycle.
        rank.expect(after.mappings <= before.mappings + kMappingSlack,
                    "mappings " + std::to_string(before.mappings) + " -> " + std::to_string(after.mappings));
      },
      0);
  team.expectRight(60'000);
}

TEST(Hygiene, FreedSegmentsLeaveThePeers) {
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    Trial plain(rank.rank(), kRanks);
    rank.expectNone(plain.exchange(comm), "first");
    const int windows = countPeerSegments();
    {
      Trial trial(rank.rank(), kRanks, {.registered = true});
      rank.expectNone(trial.exchange(comm, 1), "registered");
      rank.expect(countPeerSegments() == windows + 1, "the peer's input is mapped once, its output never");
      rank.expectNone(trial.exchange(comm, 2), "registered again");
      rank.expect(countPeerSegments() == windows + 1, "mapped again");
      rank.meet();
    }
    rank.expectNone(plain.exchange(comm, 3), "after free");
    rank.expect(countPeerSegments() == windows, "a freed segment is mapped still");
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    rank.expect(countPeerSegments() == 0, "mappings left after destroy");
  });
  team.expectRight();
}

/// The kernel gives a new segment the address of the one before: a peer must not read the old pages.
TEST(Hygiene, NewSegmentAtTheSameAddress) {
  Team team(kRanks, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    const void* last = nullptr;
    int same = 0;
    for (int round = 0; round < 50; ++round) {
      Trial trial(rank.rank(), kRanks, {.registered = true});
      same += trial.tensors[0].input == last;
      last = trial.tensors[0].input;
      if (!rank.expectNone(trial.exchange(comm, round), "round " + std::to_string(round))) return;
    }
    rank.expect(same > 10, "addresses were reused " + std::to_string(same) + " times only: shows nothing");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

/// More segments come and go between two exchanges than a socket holds messages of.
TEST(Hygiene, ManySegmentsFreedAtOnce) {
  constexpr int kSegments = 600, kElements = 64;
  Team team(kRanks, [](Rank& rank) {
    const Census before = takeCensus();
    const ulyssesComm_t comm = rank.join(4000);
    std::vector<void*> segments(kSegments);
    std::vector<std::int32_t> output(kElements);
    ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
    geometry.sequence = kRanks;
    geometry.heads = kRanks;
    for (void*& segment : segments) {
      rank.expectResult(ulyssesMemAlloc(&segment, kElements * sizeof(std::int32_t)), ulyssesSuccess, "alloc");
      ulyssesTensor_t tensor = {};
      tensor.input = segment;
      tensor.output = output.data();
      tensor.headDim = kElements / kRanks;
      tensor.dtype = ulyssesInt32;
      if (!rank.expectResult(ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), ulyssesSuccess, "use")) return;
    }
    rank.meet();
    for (void* segment : segments) (void)ulyssesMemFree(segment);
    Trial trial(rank.rank(), kRanks);
    const std::int64_t start = nowNs();
    rank.expectNone(trial.exchange(comm), "after freeing 600 segments");
    rank.expect(msSince(start) < 3000, "it took " + std::to_string(msSince(start)) + " ms");
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    rank.expectNone(changeSince(before), "left behind");
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
