// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Moves as MPI datatypes, and the element that MPI counts in.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <vector>

#include "moves.h"

namespace ulysses::perf {

// 4-byte elements where everything is a multiple of them, as MPI's loops are faster then; else bytes.
struct MpiElement {
  MPI_Datatype type;
  int64_t bytes;
};
MpiElement mpiElementOf(const Case& test);

enum class MoveSide { kSource, kTarget };

// One side of moves as a committed type. Freed with it; `count` is 0 where nothing moves, `displacement` is in bytes.
class MpiMoves {
 public:
  MpiMoves(const std::vector<Move>& moves, MoveSide side, const MpiElement& element);
  MpiMoves(int64_t offset, int64_t bytes, const MpiElement& element);  // a contiguous block
  MpiMoves(MpiMoves&& other) noexcept;
  MpiMoves& operator=(MpiMoves&&) = delete;
  ~MpiMoves();

  MPI_Datatype type() const { return type_; }
  int count() const { return count_; }
  int displacement() const { return displacement_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
  int count_ = 0, displacement_ = 0;
};

// Throws RunError when a value does not fit MPI's int.
int mpiInt(int64_t value);

}  // namespace ulysses::perf
