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
  ULYSSES_HOST_DEVICE const std::byte* tensor(uint32_t source, const TensorPlace& input) const {
    const int rank = sources[source].rank;
    return rank == call.rank ? call.inputs[box.tensor] : addressOf(call, rank, input);
  }
  ULYSSES_HOST_DEVICE End<const std::byte> from(uint32_t source) const {
    const TensorPlace& input = place(source);
    return {tensor(source, input) + offsetOf(sources[source].corner, input.strides), input.strides};
  }
  /// Of all that is read and written. A place's alignment divides the way from its tensor to the first row.
  ULYSSES_HOST_DEVICE uint32_t alignmentWith(const std::byte* to) const {
    uint64_t bits = box.alignment | bitsOf(to);
    for (uint32_t i = 0; i < box.sourceCount; ++i) {
      const TensorPlace& input = place(i);
      bits |= input.alignment | bitsOf(tensor(i, input));
    }
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

ULYSSES_HOST_DEVICE inline void loadSummand(const End<const std::byte>& from, const Place (&pieces)[kInFlight],
                                            Vector (&loaded)[kInFlight]) {
  ULYSSES_UNROLL
  for (uint32_t k = 0; k < kInFlight; ++k) loaded[k] = loadVector(from.firstRow + offsetOf(pieces[k], from.strides));
}

/// Sums start with the first summand and take the others in ascending rank order. Where a summand lies is looked up
/// once for kInFlight pieces, whose loads are under way together.
template <typename Number, typename Machine>
ULYSSES_HOST_DEVICE void sumVectors(const Machine& machine, const Summands& summands, uint32_t first, uint32_t end,
                                    End<std::byte> to) {
  const uint32_t threads = machine.threads();
  for (uint32_t i = first + machine.thread(); i < end; i += kInFlight * threads) {
    Place pieces[kInFlight];
    Lanes<Number> lanes[kInFlight];
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k) pieces[k] = placeBefore(end, summands.box.rows, i + k * threads);
    Vector loaded[kInFlight];
    loadSummand(summands.from(0), pieces, loaded);
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k) lanes[k].start(loaded[k]);
    for (uint32_t source = 1; source < summands.box.sourceCount; ++source) {
      loadSummand(summands.from(source), pieces, loaded);
      ULYSSES_UNROLL
      for (uint32_t k = 0; k < kInFlight; ++k) lanes[k].add(loaded[k]);
    }
    ULYSSES_UNROLL
    for (uint32_t k = 0; k < kInFlight; ++k)
      if (i + k * threads < end) storeVector(to.firstRow + offsetOf(pieces[k], to.strides), lanes[k].rounded());
  }
}

/// The same element by element, where an address is not one of vectors; elements themselves are aligned.
template <typename Number, typename Machine>
ULYSSES_HOST_DEVICE void sumNarrow(const Machine& machine, const Summands& summands, uint32_t first, uint32_t end,
                                   End<std::byte> to) {
  using Element = typename Number::Element;
  for (uint32_t i = first + machine.thread(); i < end; i += machine.threads()) {
    const Place piece = placeOf(summands.box.rows, i);
    for (uint32_t offset = 0; offset < piece.bytes; offset += sizeof(Element)) {
      const auto element = [&](uint32_t source) {
        const End<const std::byte> from = summands.from(source);
        return Number::widen(*reinterpret_cast<const Element*>(from.firstRow + offsetOf(piece, from.strides) + offset));
      };
      typename Number::Sum sum = element(0);
      for (uint32_t source = 1; source < summands.box.sourceCount; ++source) sum += element(source);
      *reinterpret_cast<Element*>(to.firstRow + offsetOf(piece, to.strides) + offset) = Number::round(sum);
    }
  }
}

template <typename Number, typename Machine>
ULYSSES_HOST_DEVICE void sumPieces(const Machine& machine, const Summands& summands, uint32_t first, uint32_t end,
                                   End<std::byte> to) {
  if (summands.alignmentWith(to.firstRow) >= kPieceBytes)
    sumVectors<Number>(machine, summands, first, end, to);
  else
    sumNarrow<Number>(machine, summands, first, end, to);
}

/// This block's share of the sums.
template <typename Machine>
ULYSSES_HOST_DEVICE void sum(const Arguments& call, const Machine& machine, const Board& board) {
  const Work& work = call.work;
  const Slab slab = slabOf(work.sumTiles, machine.block(), machine.blocks());
  forEachTile(work.sums, work.nSums, slab, work.tilePieces, [&](const SumBox& box, uint32_t first, uint32_t end) {
    const Summands summands{call, board, box, work.sources + box.firstSource};
    const End<std::byte> to{call.outputs[box.tensor] + box.destinationOffset, box.destinationStrides};
    if (box.sourceCount == 1)  // its bits
      return copyPieces(machine, box.rows, first, end, summands.from(0), to,
                        box.alignment | summands.place(0).alignment);
    switch (box.type) {
      case DataType::F64:
        return sumPieces<F64>(machine, summands, first, end, to);
      case DataType::F32:
        return sumPieces<F32>(machine, summands, first, end, to);
      case DataType::F16:
        return sumPieces<F16>(machine, summands, first, end, to);
      default:
        return sumPieces<Bf16>(machine, summands, first, end, to);
    }
  });
}

}  // namespace ulysses::device
