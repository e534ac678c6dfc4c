// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The cost model's bytes and messages against every box of every rank's plan, and its seconds against sums by hand.
#include "plan/cost.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <tuple>

#include "error_of.h"
#include "plan_case.h"

namespace ulysses::test {
namespace {

using Plans = std::vector<std::unique_ptr<Plan>>;

Cluster clusterOf(int hosts, int ranksPerHost, int numaNodes = 1) {
  Cluster cluster;
  cluster.hosts = hosts;
  cluster.ranksPerHost = ranksPerHost;
  cluster.numaNodesPerHost = numaNodes;
  return cluster;
}

Traffic& at(TrafficByLink& traffic, LinkClass link) { return traffic[static_cast<std::size_t>(link)]; }
const Traffic& networkOf(const Price& price) { return price.traffic[static_cast<std::size_t>(LinkClass::Network)]; }

TrafficByLink flatByPlans(const Plans& plans, const Cluster& cluster) {
  TrafficByLink traffic{};
  for (const auto& plan : plans)
    for (int peer = 0; peer < plan->nRanks(); ++peer) {
      Traffic& link = at(traffic, cluster.linkOf(plan->rank(), peer));
      link.bytes += plan->bytesTo(peer);
      link.messages += plan->bytesTo(peer) > 0;
    }
  return traffic;
}

using Rows = std::set<std::tuple<int, std::int64_t, std::int64_t, std::int64_t>>;  // tensor, group, head, token

void addRows(const Box& box, Rows& rows) {
  for (std::int64_t group = 0; group < box.groups; ++group)
    for (std::int64_t head = 0; head < box.heads; ++head)
      for (std::int64_t token = 0; token < box.tokens; ++token)
        rows.emplace(box.tensor, box.seqGroup + group, box.seqHead + head, box.seqToken + token);
}

std::int64_t bytesOf(const Rows& rows, const Plan& plan) {
  std::int64_t bytes = 0;
  for (const auto& row : rows)
    bytes += plan.tensors()[static_cast<std::size_t>(std::get<0>(row))].rowBytes() * plan.geometry().batch;
  return bytes;
}

bool allOnOneHost(const Plan& plan, const SumUnit& unit, const Cluster& cluster) {
  const auto sources = plan.sumSources(unit);
  for (const SumSource& source : sources)
    if (cluster.hostOf(source.rank) != cluster.hostOf(sources.front().rank)) return false;
  return true;
}

/// What a rank of a sequence shard exchanges with one other host: distinct rows, besides replicas whose sum spans
/// hosts, which cross one by one.
std::int64_t crossingByPlans(const Plans& plans, const Cluster& cluster, const Plan& plan, int host) {
  Rows rows;
  std::int64_t unreduced = 0;
  for (int peer = host * cluster.ranksPerHost; peer < (host + 1) * cluster.ranksPerHost; ++peer) {
    if (plan.operation() == Operation::ScatterHeads)
      for (const Box& box : plan.sendsTo(peer)) addRows(box, rows);
    else
      for (const Receive& receive : plan.receivesFrom(peer)) {
        if (receive.unit >= 0 && !allOnOneHost(plan, plan.sumUnits()[static_cast<std::size_t>(receive.unit)], cluster))
          unreduced += plan.boxBytes(receive.box);
        else
          addRows(receive.box, rows);
      }
  }
  return bytesOf(rows, *plans.front()) + unreduced;
}

/// Whichever end has the sequence shard: each other host once.
Traffic networkByPlans(const Plans& plans, const Cluster& cluster) {
  Traffic traffic;
  for (const auto& plan : plans)
    for (int host = 0; host < cluster.hosts; ++host) {
      if (host == cluster.hostOf(plan->rank())) continue;
      const std::int64_t bytes = crossingByPlans(plans, cluster, *plan, host);
      traffic.bytes += bytes;
      traffic.messages += bytes > 0;
    }
  return traffic;
}

/// What moves inside hosts in the end: everything, once at the end that has the heads.
std::int64_t allBytes(const Plans& plans) {
  std::int64_t bytes = 0;
  for (const auto& plan : plans) bytes += plan->bytesReceived();
  return bytes;
}

struct Hosts {
  int hosts, ranksPerHost;
};

class CostOfClusters : public testing::TestWithParam<Hosts> {
 protected:
  template <typename Fn>
  void forEachCase(Fn&& fn) {
    const Cluster cluster = clusterOf(GetParam().hosts, GetParam().ranksPerHost, 2);
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const PlanCase run = drawCase(cluster.hosts * cluster.ranksPerHost, seed);
      SCOPED_TRACE(testing::Message() << nameOf(run.operation) << ", seed " << seed << ": " << toText(run.spec));
      fn(run, cluster, run.allPlans());
      if (HasFailure()) return;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Clusters, CostOfClusters,
                         testing::Values(Hosts{1, 1}, Hosts{1, 4}, Hosts{2, 1}, Hosts{2, 2}, Hosts{3, 2}, Hosts{2, 4},
                                         Hosts{4, 4}, Hosts{16, 1}, Hosts{5, 3}),
                         [](const auto& param) {
                           return std::to_string(param.param.hosts) + "x" + std::to_string(param.param.ranksPerHost);
                         });

TEST_P(CostOfClusters, FlatTrafficIsThatOfThePlans) {
  forEachCase([](const PlanCase& run, const Cluster& cluster, const Plans& plans) {
    const Price price = priceFlat(run.operation, run.geometry(), run.tensorsOf(0), cluster);
    EXPECT_EQ(price.traffic, flatByPlans(plans, cluster));
  });
}

TEST_P(CostOfClusters, TwoLevelsCrossTheNetworkOnce) {
  forEachCase([](const PlanCase& run, const Cluster& cluster, const Plans& plans) {
    const Price price = priceTwoLevel(run.operation, run.geometry(), run.tensorsOf(0), cluster);
    EXPECT_EQ(networkOf(price), networkByPlans(plans, cluster));
    std::int64_t inside = -networkOf(price).bytes;
    for (const Traffic& link : price.traffic) inside += link.bytes;
    EXPECT_EQ(inside, allBytes(plans));
    EXPECT_LE(price.mostNetworkMessages, cluster.hosts - 1);
  });
}

/// S=8192 H=32 Hkv=2 D=128 bf16: K or V.
struct Model {
  Geometry geometry;
  std::vector<TensorSpec> tensors;
};
Model grouped(int nRanks, Operation operation) {
  Model model;
  model.geometry.nRanks = nRanks;
  model.geometry.sequence = 8192;
  model.geometry.heads = 32;
  model.geometry.kvHeads = 2;
  TensorSpec kv;
  kv.type = DataType::BF16;
  kv.kind = TensorKind::Kv;
  kv.sum = operation == Operation::GatherHeads;
  kv.headDim = 128;
  model.tensors = {kv};
  return model;
}

/// Two hosts of four ranks share one KV head each: four copies cross flat, one by two levels; both ways.
TEST(Cost, SharedHeadsCrossOncePerHost) {
  for (const Operation operation : {Operation::ScatterHeads, Operation::GatherHeads}) {
    const Model model = grouped(8, operation);
    const Price flat = priceFlat(operation, model.geometry, model.tensors, clusterOf(2, 4));
    const Price two = priceTwoLevel(operation, model.geometry, model.tensors, clusterOf(2, 4));
    EXPECT_EQ(networkOf(two).bytes, 8192 * 128 * 2);
    EXPECT_EQ(networkOf(flat).bytes, 4 * networkOf(two).bytes);
    EXPECT_EQ(flat.mostNetworkMessages, 4);
    EXPECT_EQ(two.mostNetworkMessages, 1);
  }
}

/// Over 3 x 2 ranks each KV head has 3 replicas, of which the middle host holds one each.
TEST(Cost, ReplicasThatSpanHostsCrossUnreduced) {
  Model model = grouped(6, Operation::GatherHeads);
  model.geometry.sequence = 6 * 1024;
  const Price two = priceTwoLevel(Operation::GatherHeads, model.geometry, model.tensors, clusterOf(3, 2));
  const Price flat = priceFlat(Operation::GatherHeads, model.geometry, model.tensors, clusterOf(3, 2));
  EXPECT_EQ(networkOf(two).bytes, networkOf(flat).bytes);
}

TEST(Cost, SecondsAreThoseOfTheSlowestLink) {
  const Model model = grouped(2, Operation::ScatterHeads);
  Cluster cluster = clusterOf(2, 1);
  const double bytes = 4096 * 128 * 2;  // that each rank sends to the other
  cluster.links[static_cast<std::size_t>(LinkClass::Network)] = {1e-5, 1e-9};
  const auto seconds = [&] {
    return priceFlat(Operation::ScatterHeads, model.geometry, model.tensors, cluster).seconds;
  };
  EXPECT_DOUBLE_EQ(seconds(), 1e-5 + bytes * 1e-9);
  cluster.nicBytesPerSecond = 1e8;
  EXPECT_DOUBLE_EQ(seconds(), bytes / 1e8);
  cluster.nicsPerHost = 2;
  EXPECT_DOUBLE_EQ(seconds(), bytes / 2e8);
  cluster.packSecondsPerByte = 1e-7;  // packs its own, unpacks the other's
  EXPECT_DOUBLE_EQ(seconds(), 2 * bytes * 1e-7);
}

TEST(Cost, CopiesOfAHostShareItsMemory) {
  const Model model = grouped(2, Operation::ScatterHeads);
  Cluster cluster = clusterOf(1, 2);
  const double bytes = 2.0 * 8192 * 128 * 2;  // all that both ranks receive, their own included
  cluster.memoryBytesPerSecond = 1e9;
  EXPECT_DOUBLE_EQ(priceFlat(Operation::ScatterHeads, model.geometry, model.tensors, cluster).seconds, bytes / 1e9);
}

TEST(Cost, ClusterThatCannotBe) {
  const Model model = grouped(8, Operation::ScatterHeads);
  const auto errorFor = [&](const Cluster& cluster) {
    return errorOf([&] { priceFlat(Operation::ScatterHeads, model.geometry, model.tensors, cluster); });
  };
  EXPECT_EQ(errorFor(clusterOf(3, 2)),
            "InvalidArgument: cluster: hosts=3 times ranksPerHost=2 is not the number of ranks, 8");
  EXPECT_EQ(errorFor(clusterOf(2, 4, 0)),
            "InvalidArgument: cluster: numaNodesPerHost=0 nicsPerHost=1: both must be at least 1");
  Cluster negative = clusterOf(2, 4);
  negative.links[static_cast<std::size_t>(LinkClass::Network)].alphaSeconds = -1;
  EXPECT_EQ(errorFor(negative),
            "InvalidArgument: cluster: link network: alphaSeconds=-1 betaSecondsPerByte=0: neither may be below 0");
}

/// 512 hosts of 8 ranks. The bound is what a simulation may take, with much room.
TEST(Cost, ThousandsOfRanks) {
  Model model = grouped(4096, Operation::ScatterHeads);
  model.geometry.heads = 4096;
  model.geometry.kvHeads = 8;
  const auto start = std::chrono::steady_clock::now();
  const Price two = priceTwoLevel(Operation::ScatterHeads, model.geometry, model.tensors, clusterOf(512, 8));
  const Price flat = priceFlat(Operation::ScatterHeads, model.geometry, model.tensors, clusterOf(512, 8));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(flat.mostNetworkMessages, 4088);
  EXPECT_EQ(two.mostNetworkMessages, 511);
  EXPECT_EQ(networkOf(flat).bytes, 8 * networkOf(two).bytes);
  RecordProperty("seconds", std::to_string(took.count()));
  EXPECT_LT(took.count(), 60);
}

}  // namespace
}  // namespace ulysses::test
