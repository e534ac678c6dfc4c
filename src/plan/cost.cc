// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "plan/cost.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "plan/distribution.h"

namespace ulysses {
namespace {

using Amounts = std::vector<int64_t>;

size_t indexOf(LinkClass link) { return static_cast<size_t>(link); }

/// What each rank sends and receives in one step; steps follow each other.
class Step {
 public:
  explicit Step(const Cluster& cluster)
      : cluster_(cluster),
        sent_(static_cast<size_t>(cluster.hosts) * static_cast<size_t>(cluster.ranksPerHost)),
        received_(sent_) {}

  void move(int from, int to, int64_t bytes) {
    if (bytes == 0) return;
    const size_t link = indexOf(cluster_.linkOf(from, to));
    add(sent_[static_cast<size_t>(from)][link], bytes, 1);
    add(received_[static_cast<size_t>(to)][link], bytes, 1);
  }

  void addTo(Price& price) const {
    for (const TrafficByLink& rank : sent_) {
      for (size_t link = 0; link < rank.size(); ++link) add(price.traffic[link], rank[link].bytes, rank[link].messages);
      price.mostNetworkMessages = std::max(price.mostNetworkMessages, rank[indexOf(LinkClass::Network)].messages);
    }
    price.seconds += seconds();
  }

 private:
  static void add(Traffic& to, int64_t bytes, int64_t messages) {
    to.bytes += bytes;
    to.messages += messages;
  }

  double secondsOn(size_t link, const Traffic& traffic) const {
    return cluster_.links[link].alphaSeconds * static_cast<double>(traffic.messages) +
           cluster_.links[link].betaSecondsPerByte * static_cast<double>(traffic.bytes);
  }

  /// A rank's own copies and packing follow each other; the wire works beside them, both ways at once.
  double secondsOfRank(size_t rank) const {
    constexpr size_t kNetwork = static_cast<size_t>(LinkClass::Network);
    const Traffic &out = sent_[rank][kNetwork], &in = received_[rank][kNetwork];
    double work = cluster_.packSecondsPerByte * static_cast<double>(out.bytes + in.bytes);
    for (size_t link = 0; link < kNetwork; ++link) work += secondsOn(link, received_[rank][link]);
    return std::max({work, secondsOn(kNetwork, out), secondsOn(kNetwork, in)});
  }

  double secondsOfHost(int host) const {
    constexpr size_t kNetwork = static_cast<size_t>(LinkClass::Network);
    int64_t out = 0, in = 0, copied = 0;
    for (int local = 0; local < cluster_.ranksPerHost; ++local) {
      const size_t rank =
          static_cast<size_t>(host) * static_cast<size_t>(cluster_.ranksPerHost) + static_cast<size_t>(local);
      out += sent_[rank][kNetwork].bytes;
      in += received_[rank][kNetwork].bytes;
      for (size_t link = 0; link < kNetwork; ++link) copied += received_[rank][link].bytes;
    }
    const auto at = [](int64_t bytes, double rate) { return rate > 0 ? static_cast<double>(bytes) / rate : 0; };
    return std::max(at(std::max(out, in), cluster_.nicBytesPerSecond * cluster_.nicsPerHost),
                    at(copied, cluster_.memoryBytesPerSecond));
  }

  double seconds() const {
    double longest = 0;
    for (size_t rank = 0; rank < sent_.size(); ++rank) longest = std::max(longest, secondsOfRank(rank));
    for (int host = 0; host < cluster_.hosts; ++host) longest = std::max(longest, secondsOfHost(host));
    return longest;
  }

  const Cluster& cluster_;
  std::vector<TrafficByLink> sent_, received_;
};

/// Every transfer is a whole number of tokens of one rank times what another rank's heads hold of a token, so these two
/// lists stand for all plans. Heads that ranks of one host share need the split besides.
struct Volumes {
  Volumes(Operation operation, const Geometry& g, std::span<const TensorSpec> tensors, const Cluster& cluster);

  int64_t bytes(int seqRank, int headRank) const {
    return tokens[static_cast<size_t>(seqRank)] * perToken[static_cast<size_t>(headRank)];
  }

  Distribution d;
  Amounts tokens;         // [nRanks] of the sequence shard, times the batch
  Amounts perToken;       // [nRanks] bytes that the head shard holds of a token
  Amounts crossPerToken;  // [hosts] bytes that a host's ranks need, or have to give, of a token of another host
};

void requireCluster(const Geometry& g, const Cluster& c) {
  require(c.hosts >= 1 && c.ranksPerHost >= 1 && static_cast<int64_t>(c.hosts) * c.ranksPerHost == g.nRanks,
          "cluster: hosts={} times ranksPerHost={} is not the number of ranks, {}", c.hosts, c.ranksPerHost, g.nRanks);
  require(c.numaNodesPerHost >= 1 && c.nicsPerHost >= 1,
          "cluster: numaNodesPerHost={} nicsPerHost={}: both must be at least 1", c.numaNodesPerHost, c.nicsPerHost);
  for (int link = 0; link < kLinkClassCount; ++link) {
    const LinkCost& cost = c.links[static_cast<size_t>(link)];
    require(cost.alphaSeconds >= 0 && cost.betaSecondsPerByte >= 0,
            "cluster: link {}: alphaSeconds={} betaSecondsPerByte={}: neither may be below 0",
            nameOf(static_cast<LinkClass>(link)), cost.alphaSeconds, cost.betaSecondsPerByte);
  }
  require(c.nicBytesPerSecond >= 0 && c.memoryBytesPerSecond >= 0 && c.packSecondsPerByte >= 0,
          "cluster: nicBytesPerSecond={} memoryBytesPerSecond={} packSecondsPerByte={}: none may be below 0",
          c.nicBytesPerSecond, c.memoryBytesPerSecond, c.packSecondsPerByte);
}

/// KV heads that cross for one host: each once, but each replica when they are summed and span hosts.
int64_t crossingKvHeads(const Distribution& d, const Cluster& c, int host, bool sum) {
  const size_t first = static_cast<size_t>(host) * static_cast<size_t>(c.ranksPerHost);
  int64_t heads = 0, counted = 0;
  for (size_t rank = first; rank < first + static_cast<size_t>(c.ranksPerHost); ++rank) {
    const Range& kv = d.heads.kv[rank];
    for (int64_t head = kv.begin; head < kv.end(); ++head) {
      const auto spans = [&] {
        const int64_t holder = d.heads.firstHolder(head);
        if (static_cast<size_t>(holder) < first) return true;
        const auto after = d.heads.kv.begin() + static_cast<int64_t>(first) + c.ranksPerHost;
        const auto next = std::find_if(after, d.heads.kv.end(), [](const Range& r) { return r.count > 0; });
        return next != d.heads.kv.end() && next->begin <= head;
      };
      if (head >= counted || (sum && spans())) ++heads;
      counted = std::max(counted, head + 1);
    }
  }
  return heads;
}

Volumes::Volumes(Operation operation, const Geometry& g, std::span<const TensorSpec> tensors, const Cluster& cluster) {
  requireCluster(g, cluster);
  d = distribute(g);
  for (const int64_t count : d.tokens.tokens) tokens.push_back(count * g.batch);
  perToken.assign(tokens.size(), 0);
  crossPerToken.assign(static_cast<size_t>(cluster.hosts), 0);
  for (const TensorSpec& tensor : tensors) {
    for (size_t rank = 0; rank < perToken.size(); ++rank) {
      const int64_t bytes = d.heads.of(tensor.kind)[rank].count * tensor.rowBytes();
      perToken[rank] += bytes;
      if (tensor.kind == TensorKind::Query)
        crossPerToken[static_cast<size_t>(cluster.hostOf(static_cast<int>(rank)))] += bytes;
    }
    const bool sum = operation == Operation::GatherHeads && tensor.sum;
    for (int host = 0; tensor.kind == TensorKind::Kv && host < cluster.hosts; ++host)
      crossPerToken[static_cast<size_t>(host)] += crossingKvHeads(d, cluster, host, sum) * tensor.rowBytes();
  }
  const auto sumOf = [](const Amounts& all) {
    return std::accumulate(all.begin(), all.end(), 0.0, [](double a, int64_t b) { return a + static_cast<double>(b); });
  };
  // The fan-out counts a byte again, hence a bound with room to spare.
  require(sumOf(tokens) * sumOf(perToken) < 0x1p61, "sequence={} batch={}: all ranks together move 2^61 bytes or more",
          g.sequence, g.batch);
}

/// Moves of a sequence rank's tokens against a head rank's heads go this way or that by the operation.
void moveBetween(Step& step, Operation operation, int seqEnd, int headEnd, int64_t bytes) {
  if (operation == Operation::ScatterHeads)
    step.move(seqEnd, headEnd, bytes);
  else
    step.move(headEnd, seqEnd, bytes);
}

void addDirect(Step& step, Operation operation, const Volumes& v, const Cluster& c, bool sameHostOnly) {
  const int nRanks = c.hosts * c.ranksPerHost;
  for (int seq = 0; seq < nRanks; ++seq) {
    const int first = sameHostOnly ? c.hostOf(seq) * c.ranksPerHost : 0;
    const int last = sameHostOnly ? first + c.ranksPerHost : nRanks;
    for (int head = first; head < last; ++head) moveBetween(step, operation, seq, head, v.bytes(seq, head));
  }
}

/// Rank i of a host speaks with rank i of each other host.
void addCrossing(Step& step, Operation operation, const Volumes& v, const Cluster& c) {
  for (int seq = 0; seq < c.hosts * c.ranksPerHost; ++seq)
    for (int host = 0; host < c.hosts; ++host)
      if (host != c.hostOf(seq))
        moveBetween(step, operation, seq, host * c.ranksPerHost + seq % c.ranksPerHost,
                    v.tokens[static_cast<size_t>(seq)] * v.crossPerToken[static_cast<size_t>(host)]);
}

/// Between the ranks of a host and those of them that hold what came from, or will go to, other hosts.
void addFan(Step& step, Operation operation, const Volumes& v, const Cluster& c) {
  Amounts all(static_cast<size_t>(c.ranksPerHost));  // tokens of the ranks with one place in their hosts
  for (size_t rank = 0; rank < v.tokens.size(); ++rank) all[rank % all.size()] += v.tokens[rank];
  for (int holder = 0; holder < c.hosts * c.ranksPerHost; ++holder) {
    const size_t own = static_cast<size_t>(holder);
    const int64_t foreign = all[own % all.size()] - v.tokens[own];
    const int first = c.hostOf(holder) * c.ranksPerHost;
    for (int head = first; head < first + c.ranksPerHost; ++head)
      moveBetween(step, operation, holder, head, foreign * v.perToken[static_cast<size_t>(head)]);
  }
}

}  // namespace

LinkClass Cluster::linkOf(int a, int b) const {
  if (a == b) return LinkClass::Self;
  if (hostOf(a) != hostOf(b)) return LinkClass::Network;
  const auto numaOf = [&](int rank) {
    return static_cast<int64_t>(rank % ranksPerHost) * numaNodesPerHost / ranksPerHost;
  };
  return numaOf(a) == numaOf(b) ? LinkClass::ShmSameNuma : LinkClass::ShmOtherNuma;
}

Price priceFlat(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors,
                const Cluster& cluster) {
  const Volumes volumes(operation, geometry, tensors, cluster);
  Step step(cluster);
  addDirect(step, operation, volumes, cluster, false);
  Price price;
  step.addTo(price);
  return price;
}

Price priceTwoLevel(Operation operation, const Geometry& geometry, std::span<const TensorSpec> tensors,
                    const Cluster& cluster) {
  const Volumes volumes(operation, geometry, tensors, cluster);
  Step crossing(cluster), fan(cluster);
  addDirect(crossing, operation, volumes, cluster, true);
  addCrossing(crossing, operation, volumes, cluster);
  addFan(fan, operation, volumes, cluster);
  Price price;
  crossing.addTo(price);
  fan.addTo(price);
  return price;
}

}  // namespace ulysses
