// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a communicator tells of itself after a failure: ulyssesCommDump, ULYSSES_DUMP_FILE.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

using nlohmann::json;

/// Throws when it is no JSON, which a rank reports as a failure.
json dumpOf(ulyssesComm_t comm) {
  std::size_t needed = 0;
  if (ulyssesCommDump(comm, nullptr, 0, &needed) != ulyssesSuccess) throw std::runtime_error(lastError());
  std::vector<char> text(needed + 1024);
  if (ulyssesCommDump(comm, text.data(), text.size(), &needed) != ulyssesSuccess) throw std::runtime_error(lastError());
  return json::parse(text.data());
}

json fileOf(const std::string& name) {
  std::ifstream file(name);
  return json::parse(file);
}

json lastOperation(const json& dump) { return dump["operations"].back(); }

/// A folder that the ranks write into, removed at the end.
class Folder {
 public:
  Folder() : path_(testing::TempDir() + "ulysses_dump_XXXXXX") {
    if (!mkdtemp(path_.data())) throw std::runtime_error("mkdtemp failed");
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

TEST(Dump, OfAHealthyCommunicatorHasTheLastOperations) {
  constexpr int kRounds = 300;  // more than the recorder keeps
  Team team(2, [](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    rank.expect(dumpOf(comm)["operations"].empty(), "operations before the first");
    const Trial trial(rank.rank(), 2);
    for (int round = 0; round < kRounds; ++round)
      rank.expectResult(trial.call(comm), ulyssesSuccess, "round " + std::to_string(round));
    rank.meet();
    const json dump = dumpOf(comm);
    rank.expect(dump["revoked"].is_null() && dump["failure"].is_null(), "a failure: " + dump.dump());
    rank.expect(dump["rank"] == rank.rank() && dump["n_ranks"] == 2 && dump["pid"] == getpid(), "who it is");
    rank.expect(dump["settings"]["timeout_ms"] == json({{"value", 10'000}, {"from", "config"}}), "settings");
    rank.expect(dump["settings"]["plan_cache_size"]["from"] == "default", "settings by default");
    rank.expect(dump["peers"].size() == 1 && dump["peers"][0]["rank"] == 1 - rank.rank() &&
                    dump["peers"][0]["path"] == "shm" && dump["peers"][0]["last_op"] == kRounds,
                "the peer: " + dump["peers"].dump());
    const json& all = dump["operations"];
    rank.expect(all.size() == 255 || all.size() == 256, std::to_string(all.size()) + " operations are kept");
    rank.expect(all.back()["op"] == kRounds, "the last one is " + all.back()["op"].dump());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const json& one = all[i];
      rank.expect(one["op"] == kRounds - all.size() + 1 + i, "out of order: " + one.dump());
      rank.expect(one["phase"] == "closed" && one["result"] == "Success", "not closed: " + one.dump());
      rank.expect(0 <= one["agreed_us"] && one["agreed_us"] <= one["moved_us"] && one["moved_us"] <= one["ended_us"],
                  "times: " + one.dump());
      rank.expect(one["seq"] == 2 * Trial::kTokens && one["batch"] == Trial::kBatch && one["dtype"] == "i32" &&
                      one["head_dim"] == Trial::kHeadDim && one["tensors"] == 1,
                  "call: " + one.dump());
    }
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight(60'000);
}

TEST(Dump, TextIsCutAndItsLengthTold) {
  ulyssesComm_t comm = nullptr;
  ASSERT_EQ(ulyssesCommInitAll(&comm, 1, nullptr), ulyssesSuccess);
  std::size_t needed = 0;
  ASSERT_EQ(ulyssesCommDump(comm, nullptr, 0, &needed), ulyssesSuccess);
  EXPECT_GT(needed, 200u);
  char text[12];
  ASSERT_EQ(ulyssesCommDump(comm, text, sizeof text, nullptr), ulyssesSuccess);
  EXPECT_STREQ(text, "{\n\"format\":");
  EXPECT_EQ(ulyssesCommDump(comm, nullptr, 5, &needed), ulyssesInvalidArgument);
  EXPECT_EQ(missingFrom(lastError(), {"text is NULL", "bytes=5"}), "");
  EXPECT_EQ(dumpOf(comm)["peers"].size(), 0u);
  EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
  EXPECT_EQ(ulyssesCommDump(comm, text, sizeof text, nullptr), ulyssesInvalidUsage);
}

TEST(Dump, NamesOfAnyBytesGiveJson) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.name = "a\"\\\n\xff\x01";
  ulyssesComm_t comm = nullptr;
  ASSERT_EQ(ulyssesCommInitAll(&comm, 1, &config), ulyssesSuccess);
  EXPECT_EQ(dumpOf(comm)["comm"], "a\"\\\n\xef\xbf\xbd\x01");
  EXPECT_EQ(ulyssesCommDestroy(comm), ulyssesSuccess);
}

void expectFile(const Rank& rank, const std::string& name) {
  struct stat status {};
  if (!rank.expect(stat(name.c_str(), &status) == 0, "no file " + name)) return;
  rank.expect((status.st_mode & 0777u) == 0600u, "mode of " + name);
}

TEST(Dump, TimeoutNamesPhaseAndAbsentRank) {
  const Folder folder;
  Team team(3, [&](Rank& rank) {
    setenv("ULYSSES_DUMP_FILE", folder.file("%r").c_str(), 1);
    const ulyssesComm_t comm = rank.join(500);
    Trial trial(rank.rank(), 3);
    rank.expectNone(trial.exchange(comm), "before");
    if (rank.rank() == 2) {
      rank.waitFlag(0);
      rank.waitFlag(1);
    }
    rank.expectResult(trial.call(comm), ulyssesTimeout, "rank 2 is absent");
    const std::string cause = lastError();
    const std::string name = folder.file(std::to_string(rank.rank()));
    expectFile(rank, name);
    const json file = fileOf(name), failure = file["failure"];
    rank.expect(failure["result"] == "Timeout" && failure["text"] == cause && file["revoked"] == cause, failure.dump());
    rank.expect(failure["op"] == 2, "the operation: " + failure.dump());
    rank.raiseFlag(rank.rank());
    if (rank.rank() != 2) {
      rank.expect(failure["did_not_call"] == json({2}), "who was absent: " + failure.dump());
      rank.expect(lastOperation(file)["phase"] == "announced" && lastOperation(file)["result"] == "Timeout" &&
                      lastOperation(file)["op"] == 2,
                  lastOperation(file).dump());
      rank.expectText(failure["reproduce"], {"ulysses_perf scatter_heads --ranks 3 --seq 72 --batch 2 --heads 6"},
                      "reproduction");
    }
    rank.expect(dumpOf(comm)["failure"] == failure, "the dump asked for later differs");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

TEST(Dump, MismatchIsWrittenAndAnswered) {
  const Folder folder;
  Team team(2, [&](Rank& rank) {
    setenv("ULYSSES_DUMP_FILE", folder.file("%c.%r").c_str(), 1);
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2);
    rank.expectNone(trial.exchange(comm), "before");
    if (rank.rank() == 1) trial.tensors[0].headDim = 8;
    rank.expectResult(trial.call(comm), ulyssesMismatch, "another headDim");
    const std::string text = lastError(),
                      name = folder.file(std::string(dumpOf(comm)["comm"]) + "." + std::to_string(rank.rank()));
    expectFile(rank, name);
    const json file = fileOf(name);
    rank.expect(file["failure"]["result"] == "Mismatch" && file["failure"]["text"] == text, file.dump());
    rank.expect(file["revoked"].is_null(), "a mismatch does not revoke");
    rank.expect(lastOperation(file)["phase"] == "announced" && lastOperation(file)["result"] == "Mismatch",
                lastOperation(file).dump());
    rank.expectText(file["failure"]["reproduce"], {rank.rank() == 1 ? "--head-dim 8 " : "--head-dim 16 "},
                    "reproduction");
    rank.expect(std::system(("python3 -m json.tool " + name + " >/dev/null").c_str()) == 0, "not JSON for python");
    std::filesystem::remove(name);
    rank.meet();
    rank.expectResult(trial.call(comm), ulyssesMismatch, "again");
    rank.expect(!std::filesystem::exists(name), "a second Mismatch was written");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

TEST(Dump, AnInvalidCallHasItsLine) {
  Team team(2, [&](Rank& rank) {
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2);
    if (rank.rank() == 1) trial.geometry.kvHeads = 3;
    rank.expectResult(trial.call(comm), rank.rank() == 1 ? ulyssesInvalidArgument : ulyssesRemoteInvalid, "kvHeads");
    const json dump = dumpOf(comm);
    rank.expectText(dump["failure"]["reproduce"], {rank.rank() == 1 ? "--kv-heads 3 " : "--kv-heads 4 "},
                    "reproduction");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

/// Rank 1 dies at a place of operation 2; rank 0's file says how far that had come and who is gone.
void expectDeathToldAt(const std::string& point, const std::string& phase) {
  const Folder folder;
  Team team(2, [&](Rank& rank) {
    setenv("ULYSSES_DUMP_FILE", folder.file("%r").c_str(), 1);
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2, {.registered = true});
    rank.expectNone(trial.exchange(comm), "before");
    rank.meet();
    if (rank.rank() == 1) setenv("ULYSSES_TEST_POINT", (point + ":kill").c_str(), 1);
    rank.expectResult(trial.call(comm), ulyssesRemoteLost, "rank 1 died");
    expectFile(rank, folder.file("0"));
    const json file = fileOf(folder.file("0"));
    rank.expect(lastOperation(file)["phase"] == phase && lastOperation(file)["result"] == "RemoteLost",
                point + ": " + lastOperation(file).dump());
    const char* list = phase == "announced" ? "did_not_call" : "did_not_finish";
    rank.expect(file["failure"][list] == json({1}), point + ": " + file["failure"].dump());
    rank.expectText(file["peers"][0]["state"], {"lost: pid ", " died"}, "the peer");
    (void)ulyssesCommDestroy(comm);
  });
  team.expectKilled(1);
  team.expectRight();
}

TEST(Dump, DeathBeforeAnnouncing) { expectDeathToldAt("op.announcing", "announced"); }
TEST(Dump, DeathWhileMoving) { expectDeathToldAt("op.agreed", "moved"); }

TEST(Dump, ALinkInItsPlaceIsRefused) {
  const Folder folder;
  ASSERT_EQ(symlink(folder.file("target").c_str(), folder.file("link").c_str()), 0);
  Team team(2, [&](Rank& rank) {
    setenv("ULYSSES_DUMP_FILE", folder.file("link").c_str(), 1);
    setenv("ULYSSES_DEBUG", "NONE", 1);
    const ulyssesComm_t comm = rank.join(5000);
    Trial trial(rank.rank(), 2);
    if (rank.rank() == 1) trial.geometry.batch = 1;
    rank.expectResult(trial.call(comm), ulyssesMismatch, "another batch");
    rank.expect(!std::filesystem::exists(folder.file("target")), "written through a link");
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight();
}

}  // namespace

}  // namespace ulysses::test
