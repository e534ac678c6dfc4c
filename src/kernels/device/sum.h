// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/device/number.h"
#include "kernels/device/push.h"

namespace ulysses::device {

/// A box's summands, as this rank reads them.
struct Summands {
  const Arguments& call;
  const Board& board;
  const SumBox& box;
  const SumSource* sources;

  ULYSSES_HOST_DEVICE const TensorPlace& place(uint32_t source) const {
    return board.from(sources[source].rank).letter.tensors[box.tensor];
  }
  /// A summand's first row.
  ULYSSES_HOST_DEVICE const std::byte* first(uint32_t source) const {
    const SumSource& from = sources[source];
    const TensorPlace& input = place(source);
    const std::byte* const base = from.rank == call.rank ? call.inputs[box.tensor] : addressOf(call, from.rank, input);
    return base + offsetOf(from.corner, input.strides);
  }
  ULYSSES_HOST_DEVICE const std::byte* at(uint32_t source, const Place& piece) const {
    return first(source) + offsetOf(piece, place(source).strides);
  }
  ULYSSES_HOST_DEVICE uint32_t alignmentWith(const std::byte* to) const {
    uint64_t bits = box.alignment | bitsOf(to);
    for (uint32_t i = 0; i < box.sourceCount; ++i) bits |= place(i).alignment | bitsOf(first(i));
    return alignmentOf(bits);
  }
};

template <typename Number>
struct Lanes {
  static constexpr uint32_t kLanes = kPieceBytes / sizeof(typename Number::Element);
  typename Number::Sum sums[kLanes];

  ULYSSES_HOST_DEVICE void start(const Vector& vector) {
    typename Number::Element elements[kLanes];
    memcpy(elements, &vector, sizeof(vector));
    ULYSSES_UNROLL
    for (uint32_t i = 0; i < kLanes; ++i) sums[i] = Number::widen(elements[i]);
  }
  ULYSSES_HOST_DEVICE void add(const Vector& vector) {
    typename Number::Element elements[kLanes];
    memcpy(elements, &vector, sizeof(vector));
    ULYSSES_UNROLL
    for (uint32_t i = 0; i < kLanes; ++i) sums[i] += Number::widen(elements[i]);
  }
  ULYSSES_HOST_DEVICE Vector rounded() const {
    typename Number::Element elements[kLanes];
    ULYSSES_UNROLL
    for (uint32_t i = 0; i < kLanes; ++i) elements[i] = Number::round(sums[i]);
    Vector vector;
    memcpy(&vector, elements, sizeof(vector));
    return vector;
  }
};

/// Sums start with the first summand and take the others in ascending rank order, kInFlight loads ahead.
template <typename Number>
ULYSSES_HOST_DEVICE Vector sumVectors(const Summands& summands, const Place& piece) {
  Lanes<Number> lanes;
  lanes.start(loadVector(summands.at(0, piece)));
  for (uint32_t i = 1; i < summands.box.sourceCount; i += kInFlight) {
    Vector loaded[kInFlight];
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k)
      if (i + k < summands.box.sourceCount) loaded[k] = loadVector(summands.at(i + k, piece));
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k)
      if (i + k < summands.box.sourceCount) lanes.add(loaded[k]);
  }
  return lanes.rounded();
}

/// The same element by element, where an address is not one of vectors; elements themselves are aligned.
template <typename Number>
ULYSSES_HOST_DEVICE void sumNarrow(const Summands& summands, const Place& piece, std::byte* to) {
  using Element = typename Number::Element;
  for (uint32_t offset = 0; offset < piece.bytes; offset += sizeof(Element)) {
    const auto element = [&](uint32_t i) {
      return Number::widen(*reinterpret_cast<const Element*>(summands.at(i, piece) + offset));
    };
    typename Number::Sum sum = element(0);
    for (uint32_t i = 1; i < summands.box.sourceCount; ++i) sum += element(i);
    *reinterpret_cast<Element*>(to + offset) = Number::round(sum);
  }
}

template <typename Number, typename Machine>
ULYSSES_HOST_DEVICE void sumPieces(const Machine& machine, const Summands& summands, uint32_t first, uint32_t end) {
  const SumBox& box = summands.box;
  std::byte* const output = summands.call.outputs[box.tensor] + box.destinationOffset;
  const uint32_t alignment = summands.alignmentWith(output);
  for (uint32_t i = first + machine.thread(); i < end; i += machine.threads()) {
    const Place piece = placeOf(box.rows, i);
    std::byte* const to = output + offsetOf(piece, box.destinationStrides);
    if (box.sourceCount == 1)  // its bits
      copyPiece(to, summands.at(0, piece), piece.bytes, alignment);
    else if (alignment >= kPieceBytes)
      storeVector(to, sumVectors<Number>(summands, piece));
    else
      sumNarrow<Number>(summands, piece, to);
  }
}

/// This block's share of the sums.
template <typename Machine>
ULYSSES_HOST_DEVICE void sum(const Arguments& call, const Machine& machine, const Board& board) {
  const Work& work = call.work;
  const Slab slab = slabOf(work.sumTiles, machine.block(), machine.blocks());
  forEachTile(work.sums, work.nSums, slab, work.tilePieces, [&](const SumBox& box, uint32_t first, uint32_t end) {
    const Summands summands{call, board, box, work.sources + box.firstSource};
    switch (box.type) {
      case DataType::F64:
        return sumPieces<F64>(machine, summands, first, end);
      case DataType::F32:
        return sumPieces<F32>(machine, summands, first, end);
      case DataType::F16:
        return sumPieces<F16>(machine, summands, first, end);
      default:
        return sumPieces<Bf16>(machine, summands, first, end);
    }
  });
}

}  // namespace ulysses::device
