// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "api/guard.h"
#include "api/translate.h"
#include "exchange/prepared_call.h"

using namespace ulysses;
using namespace ulysses::api;

namespace {

void requireRank(int nRanks, int rank) { require(rank >= 0 && rank < nRanks, "rank={}: want 0..{}", rank, nRanks - 1); }

ulyssesSplit_t splitOf(const Distribution& d, int rank) {
  const size_t r = static_cast<size_t>(rank);
  ulyssesSplit_t split{};
  split.queryHeadBegin = d.heads.query[r].begin;
  split.queryHeadCount = d.heads.query[r].count;
  split.kvHeadBegin = d.heads.kv[r].begin;
  split.kvHeadCount = d.heads.kv[r].count;
  split.tokenCount = d.tokens.tokens[r];
  split.imbalance = d.heads.imbalance();
  if (split.kvHeadCount == 0) return split;
  for (int64_t holder = d.heads.firstHolder(split.kvHeadBegin); holder < rank; ++holder)
    split.kvReplica += d.heads.kv[static_cast<size_t>(holder)].count != 0;
  split.kvReplicas = static_cast<int32_t>(d.heads.holderCount(split.kvHeadBegin));
  return split;
}

}  // namespace

extern "C" {

ulyssesResult_t ulyssesGetSplit(const ulyssesGeometry_t* geometry, int nRanks, int rank, ulyssesSplit_t* split) {
  return guard([&] {
    require(split != nullptr, "split is NULL");
    const Distribution distribution = distribute(translateGeometry(geometry, nRanks));
    requireRank(nRanks, rank);
    *split = splitOf(distribution, rank);
    return Result::Success;
  });
}

ulyssesResult_t ulyssesGetTokenPositions(const ulyssesGeometry_t* geometry, int nRanks, int rank, int64_t* positions) {
  return guard([&] {
    const TokenSplit tokens = distribute(translateGeometry(geometry, nRanks)).tokens;
    requireRank(nRanks, rank);
    require(positions != nullptr || tokens.tokens[static_cast<size_t>(rank)] == 0, "positions is NULL");
    for (const TokenRun& run : tokens.of(rank))
      for (int64_t i = 0; i < run.count; ++i) positions[run.local + i] = run.global + i;
    return Result::Success;
  });
}

ulyssesResult_t ulyssesGetTokenSources(const ulyssesGeometry_t* geometry, int nRanks, int32_t* ranks,
                                       int64_t* indices) {
  return guard([&] {
    const TokenSplit tokens = distribute(translateGeometry(geometry, nRanks)).tokens;
    require((ranks != nullptr && indices != nullptr) || geometry->sequence == 0, "ranks or indices is NULL");
    for (int rank = 0; rank < nRanks; ++rank)
      for (const TokenRun& run : tokens.of(rank))
        for (int64_t i = 0; i < run.count; ++i) {
          ranks[run.global + i] = rank;
          indices[run.global + i] = run.local + i;
        }
    return Result::Success;
  });
}

ulyssesResult_t ulyssesExplain(ulyssesOp_t op, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors,
                               int nTensors, int nRanks, int rank, int64_t* bytesReceived, char* text,
                               size_t textBytes) {
  return guard([&] {
    const int operation = numberOf(op);
    require(operation == ulyssesOpScatterHeads || operation == ulyssesOpGatherHeads,
            "op={}: want 0 (ScatterHeads) or 1 (GatherHeads)", operation);
    Call call;
    translateCall(static_cast<Operation>(operation), geometry, tensors, nTensors, nRanks, call);
    requireRank(nRanks, rank);
    const std::vector<TensorSpec> specs = resolveTensors(call, rank);
    const Plan plan(call.operation, call.geometry, specs, rank);
    if (bytesReceived) *bytesReceived = plan.bytesReceived();
    if (text && textBytes > 0) text[explain(plan).copy(text, textBytes - 1)] = '\0';
    return Result::Success;
  });
}

}  // extern "C"
