// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Tensors as bytes: where an element lies, and buffers whose every byte is known, the gaps and guards included.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/element.h"
#include "ulysses_coll.h"

namespace ulysses::test {

/// Extents of one rank's tensor on one side of an exchange.
struct Dims {
  std::int64_t tokens;
  std::int64_t batch;
  std::int64_t heads;
  std::int64_t groupSize;  // heads per KV group on this side
  std::int64_t headDim;

  bool empty() const { return tokens == 0 || batch == 0 || heads == 0; }
};

/// Where one rank has one side of a tensor. strides count, whatever the layout; layout is how the caller says it.
struct Side {
  ulyssesLayout_t layout = ulyssesLayoutSBHD;
  ulyssesStrides_t strides = {};
  int misalignment = 0;  // bytes of the first element's address beyond a multiple of 64
  bool registered = false;
};

/// Strides of the three named layouts, by their definition in the header.
ulyssesStrides_t stridesOf(ulyssesLayout_t layout, const Dims& dims);

/// Offset in elements of element (token, batch, head, 0).
std::int64_t offsetOf(const ulyssesStrides_t& strides, const Dims& dims, std::int64_t token, std::int64_t batch,
                      std::int64_t head);

/// First offset in use and the one after the last; both 0 for an empty tensor.
struct Extent {
  std::int64_t low = 0;
  std::int64_t high = 0;
};
Extent extentOf(const ulyssesStrides_t& strides, const Dims& dims);

/// A buffer around a tensor. Its start is to lie at a multiple of 64.
struct Image {
  std::vector<std::uint8_t> bytes;
  std::size_t base = 0;  // of element (0, 0, 0, 0), in bytes

  const std::uint8_t* at(std::int64_t byteOffset) const;
  std::uint8_t* at(std::int64_t byteOffset);
};

/// An image of random bytes, its elements filled as said.
Image makeImage(const Side& side, const Dims& dims, ulyssesDataType_t type, Fill fill, Rng rng);

}  // namespace ulysses::test
