// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "gather.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "error.h"

namespace ulysses::perf {
namespace {

// Short, so that one fits the smallest chunk of a staging window.
constexpr int64_t kPieceBytes = 64;

int64_t piecesOf(size_t bytes) { return (static_cast<int64_t>(bytes) + kPieceBytes - 1) / kPieceBytes; }

// A sequence whose tokens are pieces of text; the one head of all of them is rank 0's.
std::string gatherPieces(ulyssesComm_t comm, int rank, const std::vector<int64_t>& pieces, const std::string& own) {
  std::vector<int64_t> heads(pieces.size(), 0);
  heads[0] = 1;
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = std::accumulate(pieces.begin(), pieces.end(), int64_t{0});
  geometry.heads = 1;
  geometry.tokens = pieces.data();
  geometry.queryHeads = heads.data();
  std::string padded = own, all;
  padded.resize(static_cast<size_t>(piecesOf(own.size()) * kPieceBytes));
  if (rank == 0) all.resize(static_cast<size_t>(geometry.sequence * kPieceBytes));
  ulyssesTensor_t tensor{};
  tensor.input = padded.data();
  tensor.output = all.data();
  tensor.headDim = kPieceBytes;
  tensor.dtype = ulyssesUint8;
  requireSuccess("ulyssesScatterHeads", ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), comm);
  return all;
}

}  // namespace

void requireSuccess(const char* call, ulyssesResult_t result, ulyssesComm_t comm) {
  if (result != ulyssesSuccess)
    throw RunError(fmt::format("{}: {}: {}", call, ulyssesGetErrorString(result), ulyssesGetLastError(comm)));
}

// A replicated KV head reaches every rank from every rank, so ScatterHeads of one is an all-gather.
void allGatherBytes(ulyssesComm_t comm, int nRanks, const void* own, int64_t bytes, void* all) {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = nRanks;
  geometry.heads = nRanks;
  geometry.kvHeads = 1;
  ulyssesTensor_t tensor{};
  tensor.input = own;
  tensor.output = all;
  tensor.headDim = bytes;
  tensor.dtype = ulyssesUint8;
  tensor.kind = ulyssesTensorKv;
  requireSuccess("ulyssesScatterHeads", ulyssesScatterHeads(&geometry, &tensor, 1, comm, nullptr), comm);
}

std::vector<std::string> gatherTexts(ulyssesComm_t comm, int nRanks, int rank, const std::string& own) {
  const std::vector<size_t> sizes = allGather(comm, nRanks, own.size());
  std::vector<int64_t> pieces(sizes.size());
  std::transform(sizes.begin(), sizes.end(), pieces.begin(), piecesOf);
  const std::string all = gatherPieces(comm, rank, pieces, own);
  std::vector<std::string> texts;
  if (rank != 0) return texts;
  for (size_t begin = 0, peer = 0; peer < sizes.size(); ++peer) {
    texts.push_back(all.substr(begin, sizes[peer]));
    begin += static_cast<size_t>(pieces[peer] * kPieceBytes);
  }
  return texts;
}

}  // namespace ulysses::perf
