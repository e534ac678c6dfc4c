// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "moves.h"

#include <algorithm>
#include <array>

namespace ulysses::perf {
namespace {

struct Axis {
  int64_t extent, source, target;
};

// Merge what is contiguous on both sides, innermost first. The three axes of equal layouts leave two at most.
Move coalesce(std::array<Axis, 3> axes, int64_t source, int64_t target, int64_t rowBytes, int64_t firstHead) {
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.target < b.target; });
  int64_t bytes = rowBytes;
  std::vector<Axis> left;
  for (const Axis& axis : axes) {
    if (axis.extent == 1) continue;
    if (left.empty() && axis.source == bytes && axis.target == bytes) {
      bytes *= axis.extent;
    } else if (!left.empty() && axis.source == left.back().source * left.back().extent &&
               axis.target == left.back().target * left.back().extent) {
      left.back().extent *= axis.extent;
    } else {
      left.push_back(axis);
    }
  }
  left.resize(2, Axis{1, 0, 0});
  return {source,         target,         left[1].extent, left[1].source, left[1].target,
          left[0].extent, left[0].source, left[0].target, bytes,          firstHead};
}

// Tokens of a rank that are neighbours in the sequence too.
struct TokenRun {
  int64_t local, position, count;
};

std::vector<TokenRun> tokenRuns(const RankShare& share) {
  std::vector<TokenRun> runs;
  for (size_t token = 0; token < share.positions.size(); ++token) {
    const int64_t position = share.positions[token];
    if (!runs.empty() && position == runs.back().position + runs.back().count) {
      ++runs.back().count;
    } else {
      runs.push_back({static_cast<int64_t>(token), position, 1});
    }
  }
  return runs;
}

}  // namespace

std::vector<Move> movesOfHeads(const Case& test, int tensor, int sender, int receiver, int64_t begin, int64_t count) {
  const bool scatters = test.op == ulyssesOpScatterHeads;
  const ByteStrides from = test.strides(test.inputShape(tensor, sender));
  const ByteStrides to = test.strides(test.outputShape(tensor, receiver));
  const int64_t rowBytes = test.tensors[static_cast<size_t>(tensor)].headDim * test.type->bytes;
  // One side counts heads from its own first one, the other from 0; the same for tokens.
  const int64_t sourceHead = begin - (scatters ? 0 : test.headBegin(tensor, sender));
  const int64_t targetHead = begin - (scatters ? test.headBegin(tensor, receiver) : 0);
  std::vector<Move> moves;
  if (count == 0 || test.batch == 0) return moves;  // strides of an empty tensor mean nothing
  for (const TokenRun& run : tokenRuns(test.shares[static_cast<size_t>(scatters ? sender : receiver)])) {
    const int64_t sourceToken = scatters ? run.local : run.position;
    const int64_t targetToken = scatters ? run.position : run.local;
    const std::array<Axis, 3> axes = {
        {{count, from.head, to.head}, {test.batch, from.batch, to.batch}, {run.count, from.token, to.token}}};
    const Move move = coalesce(axes, sourceToken * from.token + sourceHead * from.head,
                               targetToken * to.token + targetHead * to.head, rowBytes, begin);
    moves.push_back(move);
  }
  return moves;
}

std::vector<Move> movesBetween(const Case& test, int tensor, int sender, int receiver) {
  const int holder = test.op == ulyssesOpScatterHeads ? receiver : sender;
  const int64_t begin = test.headBegin(tensor, holder);
  const int64_t count = test.headCount(tensor, holder);
  if (!test.tensors[static_cast<size_t>(tensor)].sum) return movesOfHeads(test, tensor, sender, receiver, begin, count);
  std::vector<Move> moves;
  for (int64_t head = begin; head < begin + count; ++head) {
    const std::vector<Move> ofHead = movesOfHeads(test, tensor, sender, receiver, head, 1);
    moves.insert(moves.end(), ofHead.begin(), ofHead.end());
  }
  return moves;
}

}  // namespace ulysses::perf
