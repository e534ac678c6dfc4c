// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/held_tensor.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "support/element.h"

namespace ulysses::test {

namespace {

constexpr std::uint8_t kCanary = 0xa5;

}  // namespace

Block::Block(std::size_t bytes, bool registered) : registered_(registered) {
  if (bytes == 0) return;
  if (registered_ && ulyssesMemAlloc(&data_, bytes) != ulyssesSuccess)
    throw std::runtime_error(ulyssesGetLastError(nullptr));
  if (!registered_) data_ = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  std::memset(data_, kCanary, bytes);
}

Block::~Block() {
  if (registered_)
    (void)ulyssesMemFree(data_);
  else
    std::free(data_);
}

HeldTensor::HeldTensor(ulyssesDataType_t type, Hold hold, std::int64_t tokens, std::int64_t batch, std::int64_t heads,
                       std::int64_t perGroup, std::int64_t dim, bool registered)
    : type_(type), hold_(hold), tokens_(tokens), batch_(batch), heads_(heads), perGroup_(perGroup), dim_(dim) {
  std::int64_t elements = tokens * batch * heads * dim;
  if (hold == Hold::Sbhd) strides_ = {batch * heads * dim, heads * dim, perGroup * dim, dim};
  if (hold == Hold::Bshd) strides_ = {heads * dim, tokens * heads * dim, perGroup * dim, dim};
  if (hold == Hold::Bhsd) strides_ = {dim, heads * tokens * dim, perGroup * tokens * dim, tokens * dim};
  if (hold == Hold::Gaps) {  // [B, S, groups, perGroup + 1, D + 3], as in a fused projection
    strides_.head = dim + 3;
    strides_.group = (perGroup + 1) * strides_.head;
    strides_.sequence = heads / perGroup * strides_.group + 1;
    strides_.batch = tokens * strides_.sequence + 2;
    elements = batch * strides_.batch;
  }
  bytes_ = static_cast<std::size_t>(elements) * bytesOf(type);
  block_ = std::make_unique<Block>(bytes_, registered);
}

std::int64_t HeldTensor::placeOf(std::int64_t s, std::int64_t b, std::int64_t h) const {
  return s * strides_.sequence + b * strides_.batch + h / perGroup_ * strides_.group + h % perGroup_ * strides_.head;
}

void HeldTensor::fill(const Whole& whole, const std::vector<std::int64_t>& positions) {
  auto* const bytes = static_cast<std::uint8_t*>(block_->data());
  const auto size = static_cast<std::int64_t>(bytesOf(type_));
  for (std::int64_t s = 0; s < tokens_; ++s)
    for (std::int64_t b = 0; b < batch_; ++b)
      for (std::int64_t h = 0; h < heads_; ++h)
        for (std::int64_t d = 0; d < dim_; ++d)
          encode(type_, whole.row(positions[static_cast<std::size_t>(s)], b, h)[d],
                 bytes + (placeOf(s, b, h) + d) * size);
}

std::string HeldTensor::read(const std::vector<std::int64_t>& positions, Whole* whole) const {
  const auto* const bytes = static_cast<const std::uint8_t*>(block_->data());
  const auto size = static_cast<std::int64_t>(bytesOf(type_));
  std::vector<bool> covered(bytes_);
  for (std::int64_t s = 0; s < tokens_; ++s)
    for (std::int64_t b = 0; b < batch_; ++b)
      for (std::int64_t h = 0; h < heads_; ++h)
        for (std::int64_t d = 0; d < dim_; ++d) {
          const std::int64_t at = (placeOf(s, b, h) + d) * size;
          whole->row(positions[static_cast<std::size_t>(s)], b, h)[d] = decode(type_, bytes + at);
          for (std::int64_t i = 0; i < size; ++i) covered[static_cast<std::size_t>(at + i)] = true;
        }
  for (std::size_t i = 0; i < bytes_; ++i)
    if (!covered[i] && bytes[i] != kCanary) return "byte " + std::to_string(i) + " between the elements was written";
  return "";
}

ulyssesAttentionTensor_t HeldTensor::toC() const {
  constexpr ulyssesLayout_t kLayouts[] = {ulyssesLayoutSBHD, ulyssesLayoutBSHD, ulyssesLayoutBHSD,
                                          ulyssesLayoutStrided};
  return {block_->data(), kLayouts[static_cast<int>(hold_)], 0, strides_};
}

}  // namespace ulysses::test
