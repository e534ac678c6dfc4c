// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/partition.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ulysses::test {

namespace {

using Counts = std::vector<std::int64_t>;

/// Thrown inside this file only.
struct Invalid {
  std::string why;
};

void demand(bool condition, const char* why) {
  if (!condition) throw Invalid{why};
}

/// `items` dealt over `hands` as evenly as can be; the first ones get one more.
Counts deal(std::int64_t items, std::int64_t hands) {
  Counts counts;
  for (std::int64_t hand = 0; hand < hands; ++hand) counts.push_back(items / hands + (hand < items % hands ? 1 : 0));
  return counts;
}

Counts defaultQueryCounts(std::int64_t heads, std::int64_t kvHeads, int nRanks) {
  const std::int64_t group = heads / kvHeads;
  Counts counts;
  if (kvHeads >= nRanks) {
    for (const std::int64_t kv : deal(kvHeads, nRanks)) counts.push_back(kv * group);
    return counts;
  }
  for (const std::int64_t sharers : deal(nRanks, kvHeads)) {
    for (const std::int64_t queries : deal(group, sharers)) {
      demand(queries > 0, "default split leaves a rank without a query head");
      counts.push_back(queries);
    }
  }
  return counts;
}

/// KV heads follow from the query heads that a rank holds: each query head lands with its KV head.
void deriveKv(RankPart* part, std::int64_t group) {
  std::vector<std::pair<std::int64_t, std::int64_t>> queriesOfKv;
  for (std::int64_t head = part->queryBegin; head < part->queryBegin + part->queryCount; ++head) {
    if (queriesOfKv.empty() || queriesOfKv.back().first != head / group) queriesOfKv.emplace_back(head / group, 0);
    ++queriesOfKv.back().second;
  }
  part->kvCount = static_cast<std::int64_t>(queriesOfKv.size());
  part->kvBegin = queriesOfKv.empty() ? 0 : queriesOfKv.front().first;
  for (const auto& [kv, queries] : queriesOfKv) {
    demand(queries == queriesOfKv.front().second, "a rank's ratio of query to KV heads is not uniform");
  }
}

bool holdsKv(const RankPart& part, std::int64_t kv) { return part.kvBegin <= kv && kv < part.kvBegin + part.kvCount; }

void countReplicas(Partition* partition) {
  for (std::size_t rank = 0; rank < partition->ranks.size(); ++rank) {
    RankPart& part = partition->ranks[rank];
    for (std::size_t other = 0; other < partition->ranks.size(); ++other) {
      if (!holdsKv(partition->ranks[other], part.kvBegin)) continue;
      if (other < rank) ++part.kvReplica;
      ++part.kvReplicas;
    }
  }
}

bool anyKvShared(const Partition& partition, std::int64_t kvHeads) {
  for (std::int64_t kv = 0; kv < kvHeads; ++kv) {
    const auto holds = [kv](const RankPart& part) { return holdsKv(part, kv); };
    if (std::count_if(partition.ranks.begin(), partition.ranks.end(), holds) > 1) return true;
  }
  return false;
}

void splitHeads(const GeometrySpec& geometry, int nRanks, Partition* partition) {
  const std::int64_t kvHeads = kvHeadsOf(geometry);
  const Counts counts =
      geometry.queryHeads.empty() ? defaultQueryCounts(geometry.heads, kvHeads, nRanks) : geometry.queryHeads;
  std::int64_t begin = 0;
  for (int rank = 0; rank < nRanks; ++rank) {
    const std::int64_t count = counts.at(static_cast<std::size_t>(rank));
    demand(count >= 0, "a rank has a negative number of query heads");
    demand(count <= geometry.heads - begin, "the query heads of the ranks are more than there are");
    RankPart part;
    part.queryBegin = begin;
    part.queryCount = count;
    deriveKv(&part, geometry.heads / kvHeads);
    partition->ranks.push_back(part);
    begin += count;
  }
  demand(begin == geometry.heads, "the query heads of the ranks do not add up to H");
  const std::int64_t most = *std::max_element(counts.begin(), counts.end());
  partition->imbalance = static_cast<double>(most) * nRanks / static_cast<double>(geometry.heads);
  partition->kvShared = anyKvShared(*partition, kvHeads);
  countReplicas(partition);
}

void splitTokensInOrder(const GeometrySpec& geometry, int nRanks, Partition* partition) {
  demand(!geometry.tokens.empty() || geometry.sequence % nRanks == 0, "S is not a multiple of the ranks");
  std::int64_t position = 0;
  for (std::size_t rank = 0; rank < partition->ranks.size(); ++rank) {
    const std::int64_t count = geometry.tokens.empty() ? geometry.sequence / nRanks : geometry.tokens.at(rank);
    demand(count >= 0, "a rank has a negative number of tokens");
    demand(count <= geometry.sequence - position, "the tokens of the ranks are more than S");
    for (std::int64_t token = 0; token < count; ++token) partition->ranks[rank].positions.push_back(position++);
  }
  demand(position == geometry.sequence, "the tokens of the ranks do not add up to S");
}

Counts checkedSequences(const GeometrySpec& geometry) {
  if (geometry.cuSeqlens.empty()) {
    demand(geometry.nSequences == 0, "nSequences without cuSeqlens");
    return {0, geometry.sequence};
  }
  demand(geometry.nSequences >= 1, "cuSeqlens without nSequences");
  Counts ends(geometry.cuSeqlens.begin(), geometry.cuSeqlens.begin() + geometry.nSequences + 1);
  demand(ends.front() == 0, "cuSeqlens does not begin with 0");
  demand(ends.back() == geometry.sequence, "cuSeqlens does not end with S");
  demand(std::is_sorted(ends.begin(), ends.end()), "cuSeqlens descends");
  return ends;
}

void splitTokensZigzag(const GeometrySpec& geometry, int nRanks, Partition* partition) {
  const auto positions = zigzagPositions(checkedSequences(geometry), nRanks);
  for (std::size_t rank = 0; rank < positions.size(); ++rank) {
    partition->ranks[rank].positions = positions[rank];
    if (geometry.tokens.empty()) continue;
    demand(geometry.tokens.at(rank) == static_cast<std::int64_t>(positions[rank].size()),
           "tokens are not what the zigzag rule gives");
  }
}

Partition partitionOrThrow(const GeometrySpec& geometry, int nRanks) {
  demand(nRanks >= 1, "no ranks");
  demand(geometry.sequence >= 0 && geometry.batch >= 0, "S or B is negative");
  demand(geometry.heads >= 1 && geometry.kvHeads >= 0, "H < 1 or Hkv < 0");
  demand(geometry.heads % kvHeadsOf(geometry) == 0, "H is not a multiple of Hkv");
  demand(geometry.order == ulyssesOrderContiguous || geometry.order == ulyssesOrderZigzag, "no such order");
  Partition partition;
  splitHeads(geometry, nRanks, &partition);
  if (geometry.order == ulyssesOrderZigzag) {
    splitTokensZigzag(geometry, nRanks, &partition);
  } else {
    splitTokensInOrder(geometry, nRanks, &partition);
  }
  return partition;
}

}  // namespace

std::int64_t kvHeadsOf(const GeometrySpec& geometry) {
  return geometry.kvHeads == 0 ? geometry.heads : geometry.kvHeads;
}

std::vector<std::vector<std::int64_t>> zigzagPositions(const std::vector<std::int64_t>& cuSeqlens, int nRanks) {
  std::vector<std::vector<std::int64_t>> positions(static_cast<std::size_t>(nRanks));
  for (std::size_t sequence = 0; sequence + 1 < cuSeqlens.size(); ++sequence) {
    const Counts chunks = deal(cuSeqlens[sequence + 1] - cuSeqlens[sequence], 2 * nRanks);
    Counts begins = {cuSeqlens[sequence]};
    for (const std::int64_t chunk : chunks) begins.push_back(begins.back() + chunk);
    for (int rank = 0; rank < nRanks; ++rank) {
      for (const int chunk : {rank, 2 * nRanks - 1 - rank}) {
        const auto index = static_cast<std::size_t>(chunk);
        for (std::int64_t position = begins[index]; position < begins[index + 1]; ++position) {
          positions[static_cast<std::size_t>(rank)].push_back(position);
        }
      }
    }
  }
  return positions;
}

std::optional<Partition> partitionOf(const GeometrySpec& geometry, int nRanks, std::string* why) {
  try {
    return partitionOrThrow(geometry, nRanks);
  } catch (const Invalid& invalid) {
    if (why != nullptr) *why = invalid.why;
    return std::nullopt;
  }
}

}  // namespace ulysses::test
