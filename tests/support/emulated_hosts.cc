// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/emulated_hosts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "support/own_host.h"

namespace ulysses::test {

namespace {

constexpr std::int64_t kEnoughToCover = 300;  // as the tests' usual number; the sanitizers try fewer

/// Hosts that hold a KV head, for each head that more than one rank holds.
std::vector<std::size_t> hostsOfSharedHeads(const Case& run, int perHost) {
  std::vector<std::size_t> counts;
  for (std::int64_t head = 0; head < kvHeadsOf(run.geometry); ++head) {
    std::set<int> hosts;
    int holders = 0;
    for (int rank = 0; rank < run.nRanks; ++rank) {
      const RankPart& part = run.partition.ranks[static_cast<std::size_t>(rank)];
      if (head < part.kvBegin || head >= part.kvBegin + part.kvCount) continue;
      hosts.insert(rank / perHost);
      ++holders;
    }
    if (holders > 1) counts.push_back(hosts.size());
  }
  return counts;
}

bool sums(const Case& run) {
  return run.partition.kvShared &&
         std::any_of(run.tensors.begin(), run.tensors.end(), [](const TensorCase& tensor) { return tensor.sum; });
}

void count(const Case& run, int perHost, Coverage* counts) {
  const int hosts = (run.nRanks + perHost - 1) / perHost;
  ++(*counts)["hosts " + std::to_string(hosts) + ", ranks " + std::to_string(run.nRanks)];
  const auto shared = hostsOfSharedHeads(run, perHost);
  const bool within = std::find(shared.begin(), shared.end(), 1) != shared.end();
  const bool across = std::any_of(shared.begin(), shared.end(), [](std::size_t count) { return count > 1; });
  (*counts)["KV head of one host"] += within;
  (*counts)["KV head of several hosts"] += across;
  (*counts)["summed within a host"] += within && sums(run);
  (*counts)["summed across hosts"] += across && sums(run);
  if (hosts < 3 || run.nRanks != hosts * perHost) return;
  (*counts)["KV head of one host, another of several"] += within && across;
  (*counts)["full, Hkv=1"] += kvHeadsOf(run.geometry) == 1;
  (*counts)["full, Hkv=2"] += kvHeadsOf(run.geometry) == 2;
  (*counts)["full, Hkv=1, summed"] += kvHeadsOf(run.geometry) == 1 && sums(run);
  (*counts)["full, Hkv=2, summed"] += kvHeadsOf(run.geometry) == 2 && sums(run);
}

}  // namespace

Coverage hostCoverageOf(const RunOptions& options, int perHost) {
  Coverage counts;
  for (std::int64_t index = options.first; index < options.first + options.count; ++index)
    count(caseOf(options, index), perHost, &counts);
  return counts;
}

void expectHostsCovered(const RunOptions& options) {
  const int perHost = ranksPerHost();
  if (perHost == 0) return;
  const Coverage coverage = hostCoverageOf(options, perHost);
  std::printf("%ld cases: %s\n", static_cast<long>(options.count), toText(coverage).c_str());
  if (options.count < kEnoughToCover) return;
  for (const auto& [property, cases] : coverage) EXPECT_GT(cases, 0) << property;
  for (int ranks = options.minRanks; ranks <= options.maxRanks; ++ranks) {
    const std::string hosts = "hosts " + std::to_string((ranks + perHost - 1) / perHost);
    EXPECT_EQ(coverage.count(hosts + ", ranks " + std::to_string(ranks)), 1u) << hosts << " of " << ranks << " ranks";
  }
}

}  // namespace ulysses::test
