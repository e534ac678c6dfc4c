// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "permute_plan.h"

#include <algorithm>
#include <bit>

#include "packing.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kMostUnits = (int64_t{1} << 31) - 1;

enum Piece { kInput, kOutput, kPacked, kReceived };

int64_t offsetOf(const Case& test, const std::vector<int64_t>& offsets, Piece piece, int tensor) {
  const int at = piece * test.nTensors() + tensor;
  return offsets[static_cast<size_t>(at)];
}

// The largest power of two up to 16 that divides everything.
int unitOf(const std::vector<Move>& moves) {
  uint64_t bits = 16;
  for (const Move& move : moves)
    for (const int64_t each :
         {move.source, move.target, move.sourcePlane, move.targetPlane, move.sourceRow, move.targetRow, move.bytes})
      bits |= static_cast<uint64_t>(each);
  return 1 << std::countr_zero(bits);
}

Move part(Move move, int64_t Move::*count, int64_t begin, int64_t n, int64_t sourceStep, int64_t targetStep) {
  move.source += begin * sourceStep;
  move.target += begin * targetStep;
  move.*count = n;
  return move;
}

// Halves what is too large, by planes, then rows, then bytes of a row.
void addParts(const Move& move, int64_t most, std::vector<Move>& parts) {
  if (move.total() <= most) return parts.push_back(move);
  const auto halve = [&](int64_t Move::*count, int64_t unit, int64_t sourceStep, int64_t targetStep) {
    const int64_t half = move.*count / unit / 2 * unit;
    addParts(part(move, count, 0, half, sourceStep, targetStep), most, parts);
    addParts(part(move, count, half, move.*count - half, sourceStep, targetStep), most, parts);
  };
  if (move.planes > 1) return halve(&Move::planes, 1, move.sourcePlane, move.targetPlane);
  if (move.rows > 1) return halve(&Move::rows, 1, move.sourceRow, move.targetRow);
  halve(&Move::bytes, 16, 1, 1);
}

void addBox(BoxList& list, const Move& move) {
  const auto unitsOfRow = static_cast<uint32_t>(move.bytes / list.unitBytes);
  const auto unitsOfPlane = static_cast<uint32_t>(unitsOfRow * move.rows);
  const auto units = static_cast<uint32_t>(unitsOfPlane * move.planes);
  list.boxes.push_back({move.source, move.sourcePlane, move.sourceRow, move.target, move.targetPlane, move.targetRow,
                        units, list.tiles, unitsOfPlane, unitsOfRow, Quotient::by(unitsOfPlane),
                        Quotient::by(unitsOfRow)});
  list.tiles += (units + kTileUnits - 1) / kTileUnits;
}

// The runs of a move one behind the other, from `offset` on.
struct Line {
  int64_t offset, row, plane;
};

Line lineOf(const Move& move, int64_t& next) {
  const Line line{next, move.bytes, move.bytes * move.rows};
  next += move.total();
  return line;
}

void addPacking(std::vector<Move>& into, const std::vector<Move>& moves, int64_t input, int64_t packed) {
  for (Move move : moves) {
    const Line line = lineOf(move, packed);
    move.source += input;
    move.target = line.offset;
    move.targetRow = line.row;
    move.targetPlane = line.plane;
    into.push_back(move);
  }
}

void addUnpacking(std::vector<Move>& into, const std::vector<Move>& moves, int64_t received, int64_t output) {
  for (Move move : moves) {
    const Line line = lineOf(move, received);
    move.target += output;
    move.source = line.offset;
    move.sourceRow = line.row;
    move.sourcePlane = line.plane;
    into.push_back(move);
  }
}

}  // namespace

BoxList boxesOf(const std::vector<Move>& moves) {
  BoxList list;
  list.unitBytes = unitOf(moves);
  std::vector<Move> parts;
  for (const Move& move : moves)
    if (move.total() > 0) addParts(move, kMostUnits * list.unitBytes, parts);
  for (const Move& move : parts) addBox(list, move);
  return list;
}

std::vector<int64_t> permuteSizesOf(const Case& test, int rank) {
  std::vector<int64_t> inputs, outputs, packed, received;
  for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
    const Packing packing(test, tensor, rank);
    inputs.push_back(test.inputBytes(tensor, rank));
    outputs.push_back(test.outputBytes(tensor, rank));
    packed.push_back(packing.packedBytes());
    received.push_back(packing.receivedBytes());
  }
  for (const std::vector<int64_t>* each : {&outputs, &packed, &received})
    inputs.insert(inputs.end(), each->begin(), each->end());
  return inputs;
}

PermutePlan planPermute(const Case& test, int rank, const std::vector<std::vector<int64_t>>& offsets) {
  PermutePlan plan;
  std::vector<Move> packs, unpacks;
  const std::vector<int64_t>& own = offsets[static_cast<size_t>(rank)];
  for (int tensor = 0; tensor < test.nTensors(); ++tensor) {
    const Packing packing(test, tensor, rank);
    const int64_t target = offsetOf(test, own, packing.unpacks() ? kReceived : kOutput, tensor);
    for (int i = 0; i < test.ranks; ++i) {
      const int peer = (rank + i) % test.ranks;  // each from another one at a time
      if (packing.packs())
        addPacking(packs, packing.outgoing(peer), offsetOf(test, own, kInput, tensor),
                   offsetOf(test, own, kPacked, tensor) + packing.sendBlock(peer).offset);
      if (packing.unpacks())
        addUnpacking(unpacks, packing.incoming(peer), target + packing.receiveBlock(peer).offset,
                     offsetOf(test, own, kOutput, tensor));
      const Block from = Packing(test, tensor, peer).sendBlock(rank), to = packing.receiveBlock(peer);
      const int64_t source =
          offsetOf(test, offsets[static_cast<size_t>(peer)], packing.packs() ? kPacked : kInput, tensor) + from.offset;
      if (to.bytes > 0) plan.copies.push_back({peer, source, target + to.offset, to.bytes});
    }
  }
  plan.pack = boxesOf(packs);
  plan.unpack = boxesOf(unpacks);
  return plan;
}

std::string whyNoPermute(const Case& test) {
  for (const TensorSpec& tensor : test.tensors)
    if (tensor.sum)
      return tensor.name + " is summed, and the permutation on a GPU has no kernel that adds; compare with floor";
  return "";
}

}  // namespace ulysses::perf
