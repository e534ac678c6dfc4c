// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Small random geometries, many of them invalid: ulyssesGetSplit and the oracle accept and refuse the same ones, and
// agree on what they accept. Flags: --cases N --seed S --first I.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "support/random_geometry.h"
#include "support/ranks_main.h"

namespace ulysses::test {

namespace {

constexpr std::int64_t kCases = 10000;

struct Question {
  int nRanks = 1;
  GeometrySpec geometry;
};

/// One field or array made wrong, or a little different and perhaps still right.
void disturb(Rng* rng, Question* question) {
  GeometrySpec& geometry = question->geometry;
  const auto nudge = [rng](std::vector<std::int64_t>* values) {
    if (values->empty()) return;
    (*values)[static_cast<std::size_t>(rng->between(0, static_cast<std::int64_t>(values->size()) - 1))] +=
        rng->pick<std::int64_t>({-1, 1, -3, 2});
  };
  switch (rng->between(0, 9)) {
    case 0:
      geometry.sequence += rng->pick<std::int64_t>({1, -1, -100});
      break;
    case 1:
      geometry.batch = rng->between(-2, 1);
      break;
    case 2:
      geometry.heads = rng->between(-1, 12);
      break;
    case 3:
      geometry.kvHeads = rng->between(-1, 12);
      break;
    case 4:
      nudge(&geometry.tokens);
      break;
    case 5:
      nudge(&geometry.queryHeads);
      break;
    case 6:
      nudge(&geometry.cuSeqlens);
      break;
    case 7:
      geometry.nSequences = rng->between(0, geometry.nSequences);
      break;
    case 8:
      geometry.order = static_cast<std::int32_t>(rng->between(0, 2));
      break;
    default: {  // two ranks' heads or tokens moved: sums stay right
      auto& values = rng->chance(50) ? geometry.tokens : geometry.queryHeads;
      if (values.size() < 2) break;
      const std::int64_t moved = rng->between(1, 2);
      values.front() -= moved;
      values.back() += moved;
    }
  }
}

/// Heads, counts and tokens at random, right by luck only.
GeometrySpec drawBlindly(Rng* rng, int nRanks) {
  GeometrySpec geometry;
  geometry.sequence = rng->between(0, 12);
  geometry.heads = rng->between(1, 12);
  geometry.kvHeads = rng->between(0, 6);
  if (rng->chance(50)) geometry.queryHeads = drawParts(rng, geometry.heads, nRanks);
  if (rng->chance(50)) geometry.tokens = drawParts(rng, geometry.sequence, nRanks);
  if (rng->chance(30)) geometry.order = ulyssesOrderZigzag;
  return geometry;
}

Question drawQuestion(std::uint64_t seed, std::int64_t index) {
  Rng rng(seed, 0x76616c6964u, static_cast<std::uint64_t>(index));
  Question question;
  question.nRanks = static_cast<int>(rng.between(1, rng.chance(50) ? 4 : 24));
  if (rng.chance(30)) {
    question.geometry = drawBlindly(&rng, question.nRanks);
    return question;
  }
  drawHeads(&rng, question.nRanks, false, &question.geometry);
  drawTokens(&rng, question.nRanks, 40, &question.geometry);
  if (rng.chance(60)) disturb(&rng, &question);
  return question;
}

void expectSameSplit(const Question& question, const Partition& partition) {
  const ulyssesGeometry_t geometry = question.geometry.toC();
  for (int rank = 0; rank < question.nRanks; ++rank) {
    const RankPart& part = partition.ranks[static_cast<std::size_t>(rank)];
    ulyssesSplit_t split = {};
    ASSERT_EQ(ulyssesGetSplit(&geometry, question.nRanks, rank, &split), ulyssesSuccess)
        << ulyssesGetLastError(nullptr);
    EXPECT_EQ(split.queryHeadBegin, part.queryBegin) << "rank " << rank;
    EXPECT_EQ(split.queryHeadCount, part.queryCount) << "rank " << rank;
    EXPECT_EQ(split.kvHeadCount, part.kvCount) << "rank " << rank;
    EXPECT_EQ(split.tokenCount, static_cast<std::int64_t>(part.positions.size())) << "rank " << rank;
    EXPECT_DOUBLE_EQ(split.imbalance, partition.imbalance) << "rank " << rank;
    if (part.kvCount == 0) continue;  // holds no KV head: nothing to begin with or to share
    EXPECT_EQ(split.kvHeadBegin, part.kvBegin) << "rank " << rank;
    EXPECT_EQ(split.kvReplica, part.kvReplica) << "rank " << rank;
    EXPECT_EQ(split.kvReplicas, part.kvReplicas) << "rank " << rank;
  }
}

void expectSameTokens(const Question& question, const Partition& partition) {
  const ulyssesGeometry_t geometry = question.geometry.toC();
  const auto length = static_cast<std::size_t>(geometry.sequence);
  std::vector<std::int32_t> ranks(length + 1, -9);  // one more: must stay as it is
  std::vector<std::int64_t> indices(length + 1, -9);
  ASSERT_EQ(ulyssesGetTokenSources(&geometry, question.nRanks, ranks.data(), indices.data()), ulyssesSuccess);
  for (int rank = 0; rank < question.nRanks; ++rank) {
    const auto& expected = partition.ranks[static_cast<std::size_t>(rank)].positions;
    std::vector<std::int64_t> positions(expected.size() + 1, -9);
    ASSERT_EQ(ulyssesGetTokenPositions(&geometry, question.nRanks, rank, positions.data()), ulyssesSuccess);
    EXPECT_EQ(positions.back(), -9) << "rank " << rank;
    positions.pop_back();
    EXPECT_EQ(positions, expected) << "rank " << rank;
    for (std::size_t token = 0; token < expected.size(); ++token) {
      EXPECT_EQ(ranks[static_cast<std::size_t>(expected[token])], rank);
      EXPECT_EQ(indices[static_cast<std::size_t>(expected[token])], static_cast<std::int64_t>(token));
    }
  }
  EXPECT_EQ(ranks.back(), -9);
  EXPECT_EQ(indices.back(), -9);
}

void expectRefused(const Question& question, const std::string& why) {
  const ulyssesGeometry_t geometry = question.geometry.toC();
  ulyssesSplit_t split = {};
  EXPECT_EQ(ulyssesGetSplit(&geometry, question.nRanks, 0, &split), ulyssesInvalidArgument) << "the oracle: " << why;
  const std::string text = ulyssesGetLastError(nullptr);
  EXPECT_TRUE(std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
      << "the error names no number: '" << text << "'";
}

TEST(Validity, SplitAgreesWithOracle) {
  const RunOptions options = optionsOf(Profile::Any, Mode::Threads, kCases);
  std::int64_t accepted = 0;
  for (std::int64_t index = options.first; index < options.first + options.count; ++index) {
    const Question question = drawQuestion(options.seed, index);
    SCOPED_TRACE("--seed " + std::to_string(options.seed) + " --first " + std::to_string(index) +
                 " --cases 1: P=" + std::to_string(question.nRanks) + " " + toText(question.geometry));
    std::string why;
    const auto partition = partitionOf(question.geometry, question.nRanks, &why);
    accepted += partition.has_value();
    if (partition) {
      expectSameSplit(question, *partition);
      expectSameTokens(question, *partition);
    } else {
      expectRefused(question, why);
    }
    if (HasFailure()) break;  // the first says enough
  }
  if (options.count < kCases) return;
  EXPECT_GT(accepted, options.count / 4);
  EXPECT_LT(accepted, options.count * 3 / 4);
}

TEST(Validity, RankMustBeInRange) {
  GeometrySpec spec;
  spec.heads = 8;
  const ulyssesGeometry_t geometry = spec.toC();
  ulyssesSplit_t split = {};
  EXPECT_EQ(ulyssesGetSplit(&geometry, 4, 3, &split), ulyssesSuccess);
  for (const auto& [nRanks, rank] : std::vector<std::pair<int, int>>{{4, 4}, {4, -1}, {0, 0}, {-1, 0}}) {
    EXPECT_EQ(ulyssesGetSplit(&geometry, nRanks, rank, &split), ulyssesInvalidArgument) << nRanks << " " << rank;
  }
}

}  // namespace

}  // namespace ulysses::test

int main(int argc, char** argv) { return ulysses::test::ranksMain(argc, argv); }
