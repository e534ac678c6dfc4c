// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which bytes go from one rank to another, as strided copies. What every comparison moves; the library's own exchange
// never sees it.
#pragma once

#include <cstdint>
#include <vector>

#include "case.h"

namespace ulysses::perf {

// planes x rows runs of `bytes` each; all in bytes, from the start of the sender's input and the receiver's output.
struct Move {
  int64_t source, target;
  int64_t planes, sourcePlane, targetPlane;
  int64_t rows, sourceRow, targetRow;
  int64_t bytes;
  int64_t firstHead;  // of the tensor

  int64_t total() const { return planes * rows * bytes; }
};

// Heads [begin, begin + count) of one tensor, from `sender` to `receiver`. Runs are in the order of the receiver's
// memory within a move, moves in the order of tokens.
std::vector<Move> movesOfHeads(const Case& test, int tensor, int sender, int receiver, int64_t begin, int64_t count);

// All that goes from `sender` to `receiver`. Tensors that are summed come head by head, so that partial values of one
// head from different senders have the same shape.
std::vector<Move> movesBetween(const Case& test, int tensor, int sender, int receiver);

// Calls visit(source, target, bytes) for every run.
template <typename Visit>
void forEachRun(const Move& move, Visit visit) {
  for (int64_t plane = 0; plane < move.planes; ++plane) {
    const int64_t source = move.source + plane * move.sourcePlane;
    const int64_t target = move.target + plane * move.targetPlane;
    for (int64_t row = 0; row < move.rows; ++row) {
      visit(source + row * move.sourceRow, target + row * move.targetRow, move.bytes);
    }
  }
}

}  // namespace ulysses::perf
