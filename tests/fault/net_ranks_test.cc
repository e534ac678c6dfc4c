// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows B8, B9 and F4 of the fault matrix with ranks as processes: settings that differ, an id of another version, and
// system calls that signals interrupt all the time.
#include <gtest/gtest.h>
#include <sys/time.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 4;

ulyssesComm_t joinWith(Rank& rank, const ulyssesConfig_t& config) {
  ulyssesComm_t comm = nullptr;
  rank.expectResult(ulyssesCommInitRankConfig(&comm, rank.nRanks(), &rank.id(), rank.rank(), &config), ulyssesSuccess,
                    "join");
  return comm;
}

/// Each rank with other chunks, stores, caches, deadlines, and with or without a thread: the bytes are the same.
TEST(NetRanks, SettingsMayDiffer) {
  Team team(kRanks, [](Rank& rank) {
    const int r = rank.rank();
    ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
    config.timeout_ms = 5000 + 1000 * r;
    config.init_timeout_ms = 9000 + 1000 * r;
    config.staging_bytes = 1 << (13 + 2 * r);
    config.plan_cache_size = 1 + 3 * r;
    config.progress_thread = r % 2;
    setenv("ULYSSES_STREAM_BYTES", r % 2 ? "0" : "1000000000", 1);
    const ulyssesComm_t comm = joinWith(rank, config);
    for (const bool registered : {true, false}) {
      Trial trial(r, kRanks, {.registered = registered});
      for (int round = 0; round < 20; ++round) rank.expectNone(trial.exchange(comm, round), "exchange");
    }
    Trial mixed(r, kRanks, {.registered = r % 2 == 0, .tokens = {5, 0, 70, 2}, .heads = {1, 4, 2, 1}});
    for (int round = 0; round < 20; ++round) rank.expectNone(mixed.exchange(comm, round), "uneven exchange");
    rank.meet();
    rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
  });
  team.expectRight();
}

/// A row of 8 KiB between two ranks in private memory: it fits a chunk of 2 MiB / 2, not one of 4 KiB.
ulyssesResult_t exchangeLongRows(ulyssesComm_t comm) {
  constexpr std::int64_t kLong = 2048;
  std::vector<std::int32_t> input(2 * kLong, 1), output(2 * kLong);
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = 2;
  geometry.batch = 1;
  geometry.heads = 2;
  ulyssesTensor_t tensor = {};
  tensor.input = input.data();
  tensor.output = output.data();
  tensor.headDim = kLong;
  tensor.dtype = ulyssesInt32;
  return ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr);
}

/// The size of chunks must agree, so that of rank 0 holds, whatever the others say.
TEST(NetRanks, StagingIsRankZeros) {
  for (const bool zeroIsLarge : {true, false}) {
    Team team(2, [zeroIsLarge](Rank& rank) {
      ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
      config.timeout_ms = 5000;
      config.staging_bytes = (rank.rank() == 0) == zeroIsLarge ? 2 << 20 : 4096;
      const ulyssesComm_t comm = joinWith(rank, config);
      const ulyssesResult_t result = exchangeLongRows(comm);
      if (zeroIsLarge) {
        rank.expectResult(result, ulyssesSuccess, "rank 0's window is large");
      } else {
        rank.expectResult(result, ulyssesInvalidArgument, "rank 0's window is small");
        rank.expectText(lastError(), {"a row of headDim is 8192 bytes", "4096", "staging_bytes"}, "its text");
      }
      rank.meet();
      rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
    });
    team.expectRight();
  }
}

TEST(NetRanks, AnIdOfAnotherVersion) {
  ulyssesUniqueId_t id;
  ASSERT_EQ(ulyssesGetUniqueId(&id), ulyssesSuccess);
  for (const std::size_t byte : {std::size_t{0}, std::size_t{4}}) {  // magic, wire version
    ulyssesUniqueId_t other = id;
    reinterpret_cast<unsigned char*>(&other)[byte] ^= 0x40;
    ulyssesComm_t comm = nullptr;
    EXPECT_EQ(ulyssesCommInitRank(&comm, 1, &other, 0), ulyssesInvalidArgument);
    EXPECT_EQ(missingFrom(lastError(), {"id: not from this library version's ulyssesGetUniqueId"}), "");
  }
  ulyssesComm_t comm = nullptr;
  ASSERT_EQ(ulyssesCommInitRank(&comm, 1, &id, 0), ulyssesSuccess) << lastError();
  EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
}

std::atomic<std::int64_t> interrupts = 0;

/// A thousand signals a second, and no system call that the kernel restarts.
void startInterrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupts.fetch_add(1); };
  sigaction(SIGALRM, &action, nullptr);
  const itimerval each{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &each, nullptr);
}

TEST(NetRanks, InterruptedSystemCalls) {
  Team team(
      kRanks,
      [](Rank& rank) {
        const ulyssesUniqueId_t& id = rank.id();
        startInterrupts();
        const std::int64_t start = nowNs();
        for (int again = 0; again < 2; ++again) {
          ulyssesComm_t comm = nullptr;
          ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
          config.timeout_ms = 10'000;
          config.init_timeout_ms = 10'000;
          rank.expectResult(
              ulyssesCommInitRankConfig(&comm, kRanks, again == 0 ? &id : &rank.id(1), rank.rank(), &config),
              ulyssesSuccess, "join");
          for (const bool registered : {true, false}) {
            Trial trial(rank.rank(), kRanks, {.registered = registered});
            for (int round = 0; round < 200; ++round)
              if (!rank.expectNone(trial.exchange(comm, round), "exchange")) return;
            if (rank.rank() == 0) usleep(100'000);  // the others sleep meanwhile
            if (!rank.expectNone(trial.exchange(comm, 7), "after a sleep")) return;
          }
          rank.expectResult(ulyssesCommDestroy(comm), ulyssesSuccess, "destroy");
        }
        rank.expect(interrupts.load() > 50, "only " + std::to_string(interrupts.load()) + " signals came");
        rank.note(std::to_string(interrupts.load()) + " signals in " + std::to_string(msSince(start)) + " ms");
        const itimerval never{};
        setitimer(ITIMER_REAL, &never, nullptr);
      },
      2);
  team.expectRight();
  for (const std::string& note : team.notes(0)) RecordProperty("signals", note), std::printf("%s\n", note.c_str());
}

}  // namespace

}  // namespace ulysses::test
