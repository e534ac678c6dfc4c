// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/tensor_image.h"

#include <cstring>

namespace ulysses::test {

namespace {

constexpr std::size_t kGuardBytes = 128;  // more than the widest vector store, so that overruns land in it

void addAxis(std::int64_t stride, std::int64_t length, Extent* extent) {
  (stride < 0 ? extent->low : extent->high) += stride * (length - 1);
}

void fillBytes(std::vector<std::uint8_t>* bytes, Rng* rng) {
  for (std::size_t begin = 0; begin < bytes->size(); begin += 8) {
    const std::uint64_t word = rng->next();
    std::memcpy(bytes->data() + begin, &word, std::min<std::size_t>(8, bytes->size() - begin));
  }
}

}  // namespace

ulyssesStrides_t stridesOf(ulyssesLayout_t layout, const Dims& dims) {
  const std::int64_t row = dims.headDim;
  ulyssesStrides_t strides = {};
  switch (layout) {
    case ulyssesLayoutSBHD:
      strides = {dims.batch * dims.heads * row, dims.heads * row, 0, row};
      break;
    case ulyssesLayoutBSHD:
      strides = {dims.heads * row, dims.tokens * dims.heads * row, 0, row};
      break;
    case ulyssesLayoutBHSD:
      strides = {row, dims.heads * dims.tokens * row, 0, dims.tokens * row};
      break;
    case ulyssesLayoutStrided:
      break;
  }
  strides.group = dims.groupSize * strides.head;
  return strides;
}

std::int64_t offsetOf(const ulyssesStrides_t& strides, const Dims& dims, std::int64_t token, std::int64_t batch,
                      std::int64_t head) {
  return token * strides.sequence + batch * strides.batch + head / dims.groupSize * strides.group +
         head % dims.groupSize * strides.head;
}

Extent extentOf(const ulyssesStrides_t& strides, const Dims& dims) {
  Extent extent;
  if (dims.empty()) return extent;
  addAxis(strides.sequence, dims.tokens, &extent);
  addAxis(strides.batch, dims.batch, &extent);
  addAxis(strides.group, dims.heads / dims.groupSize, &extent);
  addAxis(strides.head, dims.groupSize, &extent);
  extent.high += dims.headDim;
  return extent;
}

const std::uint8_t* Image::at(std::int64_t byteOffset) const {
  return bytes.data() + (static_cast<std::int64_t>(base) + byteOffset);
}

std::uint8_t* Image::at(std::int64_t byteOffset) {
  return bytes.data() + (static_cast<std::int64_t>(base) + byteOffset);
}

Image makeImage(const Side& side, const Dims& dims, ulyssesDataType_t type, Fill fill, Rng rng) {
  const auto size = static_cast<std::int64_t>(bytesOf(type));
  const Extent extent = extentOf(side.strides, dims);
  const std::size_t below = kGuardBytes + static_cast<std::size_t>(-extent.low * size);
  Image image;
  image.base = (below + 63) / 64 * 64 + static_cast<std::size_t>(side.misalignment);
  image.bytes.resize(image.base + static_cast<std::size_t>(extent.high * size) + kGuardBytes);
  fillBytes(&image.bytes, &rng);
  if (fill == Fill::Bits) return image;
  for (std::int64_t element = extent.low; element < extent.high; ++element) {
    fillElement(fill, type, &rng, image.at(element * size));
  }
  return image;
}

}  // namespace ulysses::test
