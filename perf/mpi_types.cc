// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "mpi_types.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "error.h"

namespace ulysses::perf {
namespace {

// planes x rows runs, from offset 0.
MPI_Datatype runsOf(const Move& move, MoveSide side, const MpiElement& element) {
  const bool isSource = side == MoveSide::kSource;
  MPI_Datatype rows = MPI_DATATYPE_NULL, planes = MPI_DATATYPE_NULL;
  MPI_Type_create_hvector(mpiInt(move.rows), mpiInt(move.bytes / element.bytes),
                          isSource ? move.sourceRow : move.targetRow, element.type, &rows);
  if (move.planes == 1) return rows;
  MPI_Type_create_hvector(mpiInt(move.planes), 1, isSource ? move.sourcePlane : move.targetPlane, rows, &planes);
  MPI_Type_free(&rows);
  return planes;
}

}  // namespace

int mpiInt(int64_t value) {
  if (value > std::numeric_limits<int>::max()) {
    throw RunError(fmt::format("a count of {} does not fit MPI's int", value));
  }
  return static_cast<int>(value);
}

MpiElement mpiElementOf(const Case& test) {
  for (const TensorSpec& tensor : test.tensors) {
    if (tensor.headDim * test.type->bytes % 4 != 0) return {MPI_BYTE, 1};
  }
  return {MPI_INT32_T, 4};
}

MpiMoves::MpiMoves(const std::vector<Move>& moves, MoveSide side, const MpiElement& element) {
  const auto offsetOf = [side](const Move& move) { return side == MoveSide::kSource ? move.source : move.target; };
  if (moves.empty()) {
    MPI_Type_dup(element.type, &type_);
  } else if (moves.size() == 1 && offsetOf(moves.front()) <= std::numeric_limits<int>::max()) {
    type_ = runsOf(moves.front(), side, element);
    displacement_ = static_cast<int>(offsetOf(moves.front()));
    count_ = 1;
  } else {
    std::vector<int> ones(moves.size(), 1);
    std::vector<MPI_Aint> offsets;
    std::vector<MPI_Datatype> parts;
    for (const Move& move : moves) {
      offsets.push_back(offsetOf(move));
      parts.push_back(runsOf(move, side, element));
    }
    MPI_Type_create_struct(static_cast<int>(moves.size()), ones.data(), offsets.data(), parts.data(), &type_);
    for (MPI_Datatype& part : parts) MPI_Type_free(&part);
    count_ = 1;
  }
  MPI_Type_commit(&type_);
}

MpiMoves::MpiMoves(int64_t offset, int64_t bytes, const MpiElement& element)
    : count_(mpiInt(bytes / element.bytes)), displacement_(mpiInt(offset)) {
  MPI_Type_dup(element.type, &type_);
}

MpiMoves::MpiMoves(MpiMoves&& other) noexcept
    : type_(std::exchange(other.type_, MPI_DATATYPE_NULL)), count_(other.count_), displacement_(other.displacement_) {}

MpiMoves::~MpiMoves() {
  if (type_ != MPI_DATATYPE_NULL) MPI_Type_free(&type_);
}

}  // namespace ulysses::perf
