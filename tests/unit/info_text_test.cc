// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What ulysses_info makes of what ranks and hosts say, where one machine cannot show it: several hosts, several
// reasons.
#include "info_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merge_hosts.h"

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

TEST(RanksText, OnlyWhatWasMeasuredIsANumber) {
  const std::string text = ranksText(twoRanks(16 << 20, 12.345));
  EXPECT_THAT(text, HasSubstr("       0       -   12.35\n       1       -       -\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("not known")));
}

}  // namespace
}  // namespace ulysses::perf
