// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/random_geometry.h"

#include <algorithm>
#include <cstddef>

#include "support/partition.h"

namespace ulysses::test {

namespace {

/// A number of query heads from `begin` on that keeps the ratio uniform: part of a group, equal shares of two groups,
/// or whole groups.
std::int64_t drawSpan(Rng* rng, std::int64_t begin, std::int64_t group) {
  const std::int64_t left = group - begin % group;
  switch (rng->between(0, 3)) {
    case 0:
      return rng->between(1, left);
    case 1:
      return 2 * left;
    case 2:
      return left == group ? group * rng->between(1, 3) : left;
    default:
      return left;
  }
}

/// Empty when the walk did not end at `heads` with as many ranks.
std::vector<std::int64_t> tryQueryHeads(Rng* rng, std::int64_t heads, std::int64_t group, int nRanks) {
  std::vector<std::int64_t> counts;
  std::int64_t begin = 0;
  while (begin < heads) {
    counts.push_back(drawSpan(rng, begin, group));
    begin += counts.back();
  }
  if (begin != heads || counts.size() > static_cast<std::size_t>(nRanks)) return {};
  while (counts.size() < static_cast<std::size_t>(nRanks)) {
    counts.insert(counts.begin() + rng->between(0, static_cast<std::int64_t>(counts.size())), 0);
  }
  return counts;
}

void drawExplicitHeads(Rng* rng, int nRanks, GeometrySpec* geometry) {
  geometry->kvHeads = rng->between(1, std::min(nRanks + 2, 8));
  const std::int64_t group = rng->pick<std::int64_t>({1, 2, 2, 3, 4, 4, 6, 8});
  geometry->heads = geometry->kvHeads * group;
  for (int attempt = 0; attempt < 40; ++attempt) {
    geometry->queryHeads = tryQueryHeads(rng, geometry->heads, group, nRanks);
    if (!geometry->queryHeads.empty()) return;
  }
  geometry->queryHeads.assign(static_cast<std::size_t>(nRanks), 0);
  geometry->queryHeads[static_cast<std::size_t>(rng->between(0, nRanks - 1))] = geometry->heads;
}

void drawDefaultHeads(Rng* rng, int nRanks, bool sharing, GeometrySpec* geometry) {
  const std::int64_t kind = sharing ? 3 : rng->between(0, 3);
  if (kind == 0) {  // MHA
    geometry->heads = rng->between(nRanks, nRanks + 6);
    geometry->kvHeads = rng->pick<std::int64_t>({0, geometry->heads});
    return;
  }
  if (kind == 1) geometry->kvHeads = 1;  // MQA
  if (kind == 2) geometry->kvHeads = rng->between(1, 2 * nRanks);
  if (kind == 3) geometry->kvHeads = std::max<std::int64_t>(1, nRanks / rng->between(2, 8));
  const std::int64_t sharers = (nRanks + geometry->kvHeads - 1) / geometry->kvHeads;
  geometry->heads = geometry->kvHeads * (sharers + rng->between(0, 3));
}

std::vector<std::int64_t> drawCuSeqlens(Rng* rng, std::int64_t sequence) {
  std::vector<std::int64_t> ends = {0};
  for (const std::int64_t part : drawParts(rng, sequence, static_cast<int>(rng->between(1, 6)))) {
    ends.push_back(ends.back() + part);
  }
  return ends;
}

void drawZigzag(Rng* rng, int nRanks, GeometrySpec* geometry) {
  geometry->order = ulyssesOrderZigzag;
  std::vector<std::int64_t> ends = {0, geometry->sequence};
  if (rng->chance(50)) {
    ends = drawCuSeqlens(rng, geometry->sequence);
    geometry->cuSeqlens = ends;
    geometry->nSequences = static_cast<std::int64_t>(ends.size()) - 1;
  }
  if (rng->chance(30)) {
    for (const auto& positions : zigzagPositions(ends, nRanks)) {
      geometry->tokens.push_back(static_cast<std::int64_t>(positions.size()));
    }
  }
}

}  // namespace

std::vector<std::int64_t> drawParts(Rng* rng, std::int64_t total, int parts) {
  std::vector<std::int64_t> cuts = {0, total};
  for (int cut = 1; cut < parts; ++cut) {
    // Taking an earlier cut again makes an empty part.
    const auto earlier = static_cast<std::size_t>(rng->between(0, static_cast<std::int64_t>(cuts.size()) - 1));
    cuts.push_back(rng->chance(15) ? cuts[earlier] : rng->between(0, total));
  }
  std::sort(cuts.begin(), cuts.end());
  std::vector<std::int64_t> lengths;
  for (std::size_t cut = 1; cut < cuts.size(); ++cut) lengths.push_back(cuts[cut] - cuts[cut - 1]);
  return lengths;
}

void drawHeads(Rng* rng, int nRanks, bool sharing, GeometrySpec* geometry) {
  if (rng->chance(sharing ? 60 : 35)) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      drawExplicitHeads(rng, nRanks, geometry);
      if (!sharing || partitionOf(*geometry, nRanks)->kvShared) return;
    }
    geometry->queryHeads.clear();
  }
  drawDefaultHeads(rng, nRanks, sharing, geometry);
}

void drawTokens(Rng* rng, int nRanks, std::int64_t maxTokens, GeometrySpec* geometry) {
  geometry->sequence = rng->chance(25) ? maxTokens : rng->between(0, maxTokens);
  if (rng->chance(10)) geometry->sequence = rng->between(0, nRanks);
  const std::int64_t kind = rng->between(0, 2);
  if (kind == 0) {
    geometry->sequence = (geometry->sequence + nRanks - 1) / nRanks * nRanks;
    if (rng->chance(40)) geometry->tokens.assign(static_cast<std::size_t>(nRanks), geometry->sequence / nRanks);
  } else if (kind == 1) {
    geometry->tokens = drawParts(rng, geometry->sequence, nRanks);
  } else {
    drawZigzag(rng, nRanks, geometry);
  }
}

}  // namespace ulysses::test
