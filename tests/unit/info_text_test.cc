// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What ulysses_info makes of what ranks and hosts say, where one machine cannot show it: several hosts, several
// reasons.
#include "info_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device_pairs.h"
#include "merge_hosts.h"
#include "network_pairs.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

HostKey keyOf(const char* boot, int network) {
  return hostKey({{"boot_id_hash", boot}, {"network_namespace", network}});
}

std::string textOf(int rank, const char* host) {
  ordered_json text = {{"row", {{"rank", rank}}}};
  if (host != nullptr) text["host"] = {{"name", host}};
  return text.dump();
}

TEST(MergeHosts, RanksAreDealtInAnyOrder) {
  const std::vector<HostKey> keys = {keyOf("aa", 1), keyOf("bb", 1), keyOf("aa", 1), keyOf("aa", 2), keyOf("bb", 1)};
  EXPECT_EQ(firstOfHost(keys, 2), 0);
  EXPECT_EQ(firstOfHost(keys, 3), 3);
  EXPECT_EQ(firstOfHost(keys, 4), 1);
  const std::vector<std::string> texts = {textOf(0, "a"), textOf(1, "b"), textOf(2, nullptr), textOf(3, "other"),
                                          textOf(4, nullptr)};
  const RankReport report = mergeHosts(texts, keys, {{"count", 5}});
  EXPECT_EQ(report.hosts, ordered_json::parse(R"([{"name": "a", "ranks": [0, 2]}, {"name": "b", "ranks": [1, 4]},
                                                  {"name": "other", "ranks": [3]}])"));
  EXPECT_EQ(report.ranks["count"], 5);
  std::vector<int> hosts;
  for (const ordered_json& row : report.ranks["rows"]) hosts.push_back(row["host"].get<int>());
  EXPECT_THAT(hosts, testing::ElementsAre(0, 1, 0, 2, 1));
}

ordered_json pairOf(int peer, const char* path, const char* reason, const ordered_json& rate) {
  return {{"peer", peer}, {"path", path}, {"reason", reason}, {"gbyte_per_s", rate}};
}

ordered_json twoRanks(const ordered_json& measuredBytes, const ordered_json& rate) {
  return {{"count", 2},
          {"started_by", "a test"},
          {"measured_bytes", measuredBytes},
          {"settings", {{"timeout_ms", {{"value", 5}, {"from", "config"}}}}},
          {"rows",
           {{{"rank", 0}, {"pairs", {pairOf(0, "self", "itself", nullptr), pairOf(1, "shm", "near", rate)}}},
            {{"rank", 1}, {"pairs", {pairOf(0, "shm", "far", nullptr), pairOf(1, "self", "itself", nullptr)}}}}}};
}

TEST(RanksText, EachReasonHasItsLabel) {
  const std::string text = ranksText(twoRanks(nullptr, nullptr));
  EXPECT_THAT(text, HasSubstr("       0    self     shm\n       1   shm.2    self\n"));
  EXPECT_THAT(text, HasSubstr("  self: itself (2 pairs)\n"));
  EXPECT_THAT(text, HasSubstr("  shm: near (1 pair)\n"));
  EXPECT_THAT(text, HasSubstr("  shm.2: far (1 pair)\n"));
  EXPECT_THAT(text, HasSubstr("bandwidth of each pair: not known"));
  EXPECT_THAT(text, HasSubstr("timeout_ms             5 (config)"));
}

ordered_json networkOf(const char* device, const ordered_json& allowed) {
  return {{"devices", {device}}, {"allowed", allowed}, {"reason", "near"}};
}

TEST(RanksText, RanksHaveTheirNetworkDevices) {
  ordered_json ranks = twoRanks(nullptr, nullptr);
  EXPECT_THAT(ranksText(ranks), testing::Not(HasSubstr("network devices")));
  for (ordered_json& row : ranks["rows"]) row["network"] = networkOf("mlx5_0:1", {"mlx5_0:1", "eth0"});
  EXPECT_THAT(ranksText(ranks), HasSubstr("\nnetwork devices of the ranks\n  rank 0, 1: mlx5_0:1: near (UCX may use "
                                          "mlx5_0:1,eth0)\n"));
  ranks["rows"][1]["network"] = networkOf("eth1", nullptr);
  EXPECT_THAT(ranksText(ranks), HasSubstr("  rank 1: eth1: near\n"));
}

TEST(NetworkPairs, BothEndsOfWhatMessagesJoin) {
  ordered_json rows = twoRanks(nullptr, nullptr)["rows"];
  rows[0]["network"] = networkOf("mlx5_0:1", nullptr);
  rows[1]["network"] = networkOf("mlx5_1:1", nullptr);
  rows[0]["pairs"][1]["path"] = "ucx";
  addNetworkPairs(rows);
  EXPECT_EQ(rows[0]["pairs"][1]["network"], ordered_json::parse(R"({"own": ["mlx5_0:1"], "peer": ["mlx5_1:1"]})"));
  EXPECT_TRUE(rows[0]["pairs"][0]["network"].is_null());
  EXPECT_TRUE(rows[1]["pairs"][0]["network"].is_null()) << "shared memory";
}

TEST(RanksText, OnlyWhatWasMeasuredIsANumber) {
  const std::string text = ranksText(twoRanks(16 << 20, 12.345));
  EXPECT_THAT(text, HasSubstr("       0       -   12.35\n       1       -       -\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("not known")));
}

// Two GPUs that reach each other, a third that reaches nobody; four ranks.
ordered_json threeGpus() {
  ordered_json gpus = ordered_json::array();
  for (int gpu = 0; gpu < 3; ++gpu) gpus.push_back({{"ordinal", gpu}, {"peer_access", {gpu != 2, gpu != 2, gpu == 2}}});
  return {{{"ranks", {0, 1, 2, 3}}, {"cuda", {{"gpus", gpus}, {"problem", nullptr}}}}};
}

// And a fifth on another host.
ordered_json twoHosts(bool withGpu) {
  ordered_json hosts = threeGpus();
  hosts.push_back({{"ranks", {4}}, {"cuda", hosts[0]["cuda"]}});
  if (!withGpu) hosts[1]["cuda"] = {{"gpus", ordered_json::array()}, {"problem", "no driver: gone"}};
  return hosts;
}

ordered_json rowsOf(int ranks) {
  ordered_json rows = ordered_json::array();
  for (int rank = 0; rank < ranks; ++rank) {
    rows.push_back({{"rank", rank}, {"host", rank / 4}, {"pairs", ordered_json::array()}});
    for (int peer = 0; peer < ranks; ++peer) rows.back()["pairs"].push_back(pairOf(peer, "shm", "near", nullptr));
  }
  return rows;
}

std::string pairText(const ordered_json& rows, int rank, int peer) {
  const ordered_json& found = rows[static_cast<size_t>(rank)]["pairs"][static_cast<size_t>(peer)];
  return (found["device_path"].is_null() ? "none" : found["device_path"].get<std::string>()) + ": " +
         found["device_reason"].get<std::string>();
}

TEST(DevicePairs, FollowTheGpus) {
  ordered_json rows = rowsOf(4);
  addDevicePairs(threeGpus(), rows);
  EXPECT_EQ(rows[3]["gpu"], 0);
  EXPECT_EQ(pairText(rows, 1, 1), "self: this rank");
  EXPECT_EQ(pairText(rows, 0, 1), "cuda: peer access");
  EXPECT_EQ(pairText(rows, 0, 3), "cuda: same GPU");
  EXPECT_THAT(pairText(rows, 2, 0), HasSubstr("none: the GPU of the reader has no access"));
  EXPECT_THAT(pairText(rows, 0, 2), HasSubstr("none: the GPU of the reader has no access"));
}

// Of ranks on several hosts all go by one way, those that share a host too.
TEST(DevicePairs, OfSeveralHostsGoThroughTheirMemory) {
  ordered_json rows = rowsOf(5);
  addDevicePairs(twoHosts(true), rows);
  for (const auto& [rank, peer] : {std::pair(0, 4), {0, 1}, {2, 0}, {4, 4}})
    EXPECT_EQ(pairText(rows, rank, peer), "host: several hosts: through pinned host memory");
  addDevicePairs(twoHosts(false), rows);
  EXPECT_EQ(rows[4]["gpu"], nullptr);
  for (const auto& [rank, peer] : {std::pair(0, 4), {4, 0}, {4, 4}})
    EXPECT_EQ(pairText(rows, rank, peer), "none: no driver: gone");
}

TEST(DevicePairs, AreShownWhereThereIsAGpu) {
  ordered_json ranks = twoRanks(nullptr, nullptr);
  ranks["rows"] = rowsOf(4);
  addDevicePairs(threeGpus(), ranks["rows"]);
  const std::string text = ranksText(ranks);
  EXPECT_THAT(text, HasSubstr("when ranks 0, 1, ... use the GPUs 0 1 2 0\n"));
  EXPECT_THAT(text, HasSubstr("  cuda: peer access (4 pairs)\n"));
  ranks["rows"] = rowsOf(5);
  addDevicePairs(twoHosts(false), ranks["rows"]);
  EXPECT_THAT(ranksText(ranks), HasSubstr("use the GPUs 0 1 2 0 -\n"));
  EXPECT_THAT(ranksText(twoRanks(nullptr, nullptr)), testing::Not(HasSubstr("GPU memory of each pair")));
}

}  // namespace
}  // namespace ulysses::perf
