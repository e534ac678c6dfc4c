// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "api/guard.h"
#include "api/translate.h"
#include "plan/cost.h"

using namespace ulysses;
using namespace ulysses::api;

namespace {

static_assert(kLinkClassCount == ULYSSES_LINKS);
static_assert(static_cast<int>(LinkClass::Network) == ulyssesLinkNetwork);
static_assert(static_cast<int>(LinkClass::ShmSameNuma) == ulyssesLinkShmSameNuma);

void requireKnown(const ulyssesCluster_t* in) {
  require(in != nullptr, "cluster is NULL");
  require(in->magic == ULYSSES_CLUSTER_MAGIC, "cluster.magic={:#x}: start from ULYSSES_CLUSTER_INITIALIZER", in->magic);
  require(in->size == sizeof(ulyssesCluster_t) && in->version == ULYSSES_CLUSTER_VERSION,
          "cluster.size={} version={}: this library knows size {} version {}; build against its header", in->size,
          in->version, sizeof(ulyssesCluster_t), ULYSSES_CLUSTER_VERSION);
  require(std::all_of(std::begin(in->reserved), std::end(in->reserved), [](int64_t x) { return x == 0; }),
          "cluster.reserved: not 0; start from ULYSSES_CLUSTER_INITIALIZER");
}

Cluster translateCluster(const ulyssesCluster_t* in) {
  requireKnown(in);
  Cluster out;
  out.hosts = in->hosts;
  out.ranksPerHost = in->ranksPerHost;
  out.numaNodesPerHost = in->numaNodesPerHost;
  out.nicsPerHost = in->nicsPerHost;
  for (size_t link = 0; link < out.links.size(); ++link)
    out.links[link] = {in->links[link].latencySeconds, in->links[link].secondsPerByte};
  out.nicBytesPerSecond = in->nicBytesPerSecond;
  out.memoryBytesPerSecond = in->memoryBytesPerSecond;
  out.packSecondsPerByte = in->packSecondsPerByte;
  return out;
}

/// Ranks of the whole cluster, of which lists are made.
int ranksOf(const Cluster& cluster) {
  constexpr int64_t kMost = 1 << 20;
  const int64_t ranks = int64_t{cluster.hosts} * cluster.ranksPerHost;
  require(cluster.hosts >= 1 && cluster.ranksPerHost >= 1 && ranks <= kMost,
          "cluster.hosts={} ranksPerHost={}: want at least 1 each, and at most {} ranks in all", cluster.hosts,
          cluster.ranksPerHost, kMost);
  return static_cast<int>(ranks);
}

ulyssesPrice_t toC(const Price& price) {
  ulyssesPrice_t out{};
  out.seconds = price.seconds;
  for (size_t link = 0; link < price.traffic.size(); ++link) {
    out.bytes[link] = price.traffic[link].bytes;
    out.messages[link] = price.traffic[link].messages;
  }
  out.mostNetworkMessages = price.mostNetworkMessages;
  return out;
}

}  // namespace

extern "C" {

ulyssesResult_t ulyssesPredict(ulyssesOp_t op, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                               int nTensors, const ulyssesCluster_t* cluster, ulyssesPrice_t* flat,
                               ulyssesPrice_t* twoLevel) {
  return guard([&] {
    const int operation = numberOf(op);
    require(operation == ulyssesOpScatterHeads || operation == ulyssesOpGatherHeads,
            "op={}: want 0 (ScatterHeads) or 1 (GatherHeads)", operation);
    const Cluster described = translateCluster(cluster);
    Call call;
    translateCall(static_cast<Operation>(operation), geometry, tensors, nTensors, ranksOf(described), call);
    const std::vector<TensorSpec> specs = resolveTensors(call, 0);
    const Distribution distribution = distribute(call.geometry);
    for (int t = 0; t < nTensors; ++t)
      requireTensor(call.operation, call.geometry, distribution, specs[static_cast<size_t>(t)], t, 0);
    if (flat) *flat = toC(priceFlat(call.operation, call.geometry, specs, described));
    if (twoLevel) *twoLevel = toC(priceTwoLevel(call.operation, call.geometry, specs, described));
    return Result::Success;
  });
}

}  // extern "C"
