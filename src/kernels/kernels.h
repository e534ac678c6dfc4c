// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The loops that touch tensor bytes. Stateless, no allocation, any thread. Each has a plain-loop reference in
// reference.h with the same contract; tests/kernel holds one program that checks and times both.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/data_type.h"

namespace ulysses::kernels {

/// How results are stored. Cached: ordinary stores, for outputs that fit the cache. Streaming: non-temporal stores with
/// several rows interleaved, for outputs that do not; call fence() before telling another thread about them.
enum class Store { Cached, Streaming };

/// `rows` rows of `rowBytes` contiguous bytes; strides in bytes, may be negative or (source only) zero.
/// Any alignment and any rowBytes >= 0. Source and destination do not overlap.
struct RowCopy {
  std::byte* dst;
  int64_t dstStride;
  const std::byte* src;
  int64_t srcStride;
  int64_t rows;
  int64_t rowBytes;
};
void copyRows(const RowCopy& copy, Store store) noexcept;

/// `rows` rows, `dstStride` bytes apart, that come in pieces: of each row a piece from every source, in their order.
/// Stores around the cache want whole pages written in order of address, which copying source by source is not.
struct RowPiece {
  std::byte* dst;  // in the first row
  const std::byte* src;
  int64_t srcStride, bytes;
};
struct RowMerge {
  std::span<const RowPiece> pieces;
  int64_t dstStride, rows;
};
void mergeRows(const RowMerge& merge, Store store) noexcept;

/// One operand of a replica sum.
struct SourceRows {
  const std::byte* data;
  int64_t stride;  // bytes between rows
};

/// dst[row][e] = round(sum over sources, in their order, of float(source[row][e])), accumulated in float32 (float64 for
/// F64) and rounded once, to nearest even. F64, F32, F16, BF16 only. sources.size() >= 1; one source copies its bits.
/// NaN stays NaN (payload not kept), infinities and -0 follow IEEE addition: -0 + -0 = -0.
struct RowSum {
  std::byte* dst;
  int64_t dstStride;
  std::span<const SourceRows> sources;
  int64_t rows;
  int64_t elements;  // per row
  DataType type;
};
void sumRows(const RowSum& sum, Store store) noexcept;

/// Make streaming stores of this thread visible to whoever sees a later release store.
void fence() noexcept;

/// Name of the instruction set chosen at run time ("AVX3", "AVX2", ...).
const char* targetName() noexcept;

}  // namespace ulysses::kernels
