// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// How boxes are cut into chunks: both ends must cut alike, and nothing may leave its chunk.
#include "exchange/stage.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "plan_case.h"

namespace ulysses::test {
namespace {

using Piece = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool>;

Piece fieldsOf(const StagePiece& p) { return {p.index, p.rowBegin, p.rowEnd, p.chunkOffset, p.startsChunk}; }

template <typename Entry>
std::vector<StagePiece> piecesOf(const Plan& plan, std::span<const Entry> entries, std::uint32_t staged,
                                 std::int64_t chunkBytes) {
  StageCursor cursor;
  cursor.reset(staged, chunkBytes);
  std::vector<StagePiece> pieces;
  while (const auto piece = cursor.peek(plan, entries)) {
    pieces.push_back(*piece);
    cursor.advance(plan, *entries[static_cast<std::size_t>(piece->index)].box, *piece);
    if (pieces.size() > 100000) break;  // a cursor that stands still
  }
  return pieces;
}

std::vector<StagePiece> sentPieces(const Plan& plan, int peer, std::uint32_t staged, std::int64_t chunkBytes) {
  return piecesOf(plan, Streams(plan, {}).sendsTo(peer), staged, chunkBytes);
}

std::vector<StagePiece> receivedPieces(const Plan& plan, int peer, std::uint32_t staged, std::int64_t chunkBytes) {
  return piecesOf(plan, Streams(plan, {}).receivesFrom(peer), staged, chunkBytes);
}

/// Every staged row once and in order, each chunk filled in ascending order within its bounds.
void expectCovers(const Plan& plan, int peer, std::uint32_t staged, std::int64_t chunkBytes) {
  const auto boxes = plan.sendsTo(peer);
  const auto pieces = sentPieces(plan, peer, staged, chunkBytes);
  std::size_t at = 0;
  std::int64_t used = -1;
  for (std::int64_t i = 0; i < std::ssize(boxes); ++i) {
    const Box& box = boxes[static_cast<std::size_t>(i)];
    if (!(staged >> box.tensor & 1)) continue;
    const std::int64_t rowBytes = plan.tensors()[static_cast<std::size_t>(box.tensor)].rowBytes();
    for (std::int64_t row = 0; row < box.rows(plan.geometry().batch); ++at) {
      ASSERT_LT(at, pieces.size());
      const StagePiece& piece = pieces[at];
      ASSERT_EQ(piece.index, i);
      ASSERT_EQ(piece.rowBegin, row);
      ASSERT_GT(piece.rowEnd, row);
      row = piece.rowEnd;
      if (piece.startsChunk)
        EXPECT_EQ(piece.chunkOffset, 0);
      else
        EXPECT_GE(piece.chunkOffset, used);
      EXPECT_TRUE(piece.startsChunk || at > 0) << "the first piece starts a chunk";
      EXPECT_EQ(piece.chunkOffset % 64, 0);
      used = piece.chunkOffset + (piece.rowEnd - piece.rowBegin) * rowBytes;
      EXPECT_LE(used, chunkBytes);
    }
  }
  EXPECT_EQ(at, pieces.size());
}

/// Where each row of each unit is cut, by every rank that sends a summand of it.
void expectSummandsCutAlike(const Plan& plan, std::uint32_t staged, std::int64_t chunkBytes) {
  std::map<std::int32_t, std::map<int, std::vector<std::int64_t>>> cuts;  // [unit][rank]
  for (int source = 0; source < plan.nRanks(); ++source)
    for (const StagePiece& piece : receivedPieces(plan, source, staged, chunkBytes)) {
      const auto unit = plan.receivesFrom(source)[static_cast<std::size_t>(piece.index)].unit;
      if (unit >= 0) cuts[unit][source].push_back(piece.rowEnd);
    }
  for (const auto& [unit, ranks] : cuts)
    for (const auto& [rank, ends] : ranks)
      EXPECT_EQ(ends, ranks.begin()->second) << "unit " << unit << ", rank " << rank;
}

/// What a sender calls used when it sends a chunk is where the chunk's last piece ends.
void expectUsedToTheEnd(const Plan& plan, int peer, std::uint32_t staged, std::int64_t chunkBytes) {
  const Streams streams(plan, {});
  const auto entries = streams.sendsTo(peer);
  StageCursor cursor;
  cursor.reset(staged, chunkBytes);
  std::int64_t end = 0;
  while (const auto piece = cursor.peek(plan, entries)) {
    if (end > 0) {
      EXPECT_EQ(cursor.usedBytes(), end);  // also after a look at a piece that starts the next chunk
    }
    const Box& box = *entries[static_cast<std::size_t>(piece->index)].box;
    end = piece->chunkOffset +
          (piece->rowEnd - piece->rowBegin) * plan.tensors()[static_cast<std::size_t>(box.tensor)].rowBytes();
    cursor.advance(plan, box, *piece);
  }
  if (end > 0) {
    EXPECT_EQ(cursor.usedBytes(), end);
  }
}

TEST(StageCursor, BothEndsCutAlike) {
  for (const int nRanks : {2, 3, 5, 8})
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      Rng rng(seed, static_cast<std::uint64_t>(nRanks), 2);
      const PlanCase run = drawCase(nRanks, seed);
      const auto staged = static_cast<std::uint32_t>(rng.between(1, 7));
      const std::int64_t chunkBytes = 64 * rng.between(1, 6);  // rows have at most 32 bytes
      SCOPED_TRACE(testing::Message() << nRanks << " ranks, seed " << seed << ", chunks of " << chunkBytes);
      const auto plans = run.allPlans();
      for (const auto& from : plans) {
        for (const auto& to : plans) {
          std::vector<Piece> sent, received;
          for (const auto& p : sentPieces(*from, to->rank(), staged, chunkBytes)) sent.push_back(fieldsOf(p));
          for (const auto& p : receivedPieces(*to, from->rank(), staged, chunkBytes)) received.push_back(fieldsOf(p));
          ASSERT_EQ(sent, received);
          expectCovers(*from, to->rank(), staged, chunkBytes);
          expectUsedToTheEnd(*from, to->rank(), staged, chunkBytes);
        }
        expectSummandsCutAlike(*from, staged, chunkBytes);
      }
      if (testing::Test::HasFailure()) return;
    }
}

/// One rank, `rows` tokens of batch `batch`: a single box to itself.
std::vector<std::int64_t> rowEnds(std::int64_t rows, std::int64_t batch, std::int64_t headDim,
                                  std::int64_t chunkBytes) {
  Geometry geometry;
  geometry.sequence = rows;
  geometry.batch = batch;
  TensorSpec tensor{
      .type = DataType::F32, .kind = TensorKind::Query, .sum = false, .headDim = headDim, .input = {}, .output = {}};
  tensor.input = tensor.output = sbhd({rows, batch, 1, 1, headDim});
  const Plan plan(Operation::ScatterHeads, geometry, std::span(&tensor, 1), 0);
  std::vector<std::int64_t> ends;
  for (const StagePiece& piece : sentPieces(plan, 0, 1, chunkBytes)) {
    EXPECT_TRUE(piece.startsChunk);
    ends.push_back(piece.rowEnd);
  }
  return ends;
}

using Ends = std::vector<std::int64_t>;

TEST(StageCursor, RowsOfOneChunk) { EXPECT_EQ(rowEnds(3, 1, 16, 64), (Ends{1, 2, 3})); }
TEST(StageCursor, RowsSmallerThanAChunk) { EXPECT_EQ(rowEnds(10, 1, 16, 256), (Ends{4, 8, 10})); }
TEST(StageCursor, RowsThatLeaveARest) { EXPECT_EQ(rowEnds(5, 1, 24, 256), (Ends{2, 4, 5})); }
TEST(StageCursor, WholeTokensWhereTheyFit) { EXPECT_EQ(rowEnds(4, 3, 16, 512), (Ends{6, 12})); }  // 8 rows fit
TEST(StageCursor, BrokenTokensWhereTheyDoNot) { EXPECT_EQ(rowEnds(2, 5, 16, 192), (Ends{3, 6, 9, 10})); }

}  // namespace
}  // namespace ulysses::test
