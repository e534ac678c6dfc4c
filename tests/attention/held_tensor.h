// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <memory>

#include "attention/attention_case.h"

namespace ulysses::test {

/// Memory of one rank: zeroed, of the library or private, freed with it.
class Block {
 public:
  Block(std::size_t bytes, bool registered);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  bool registered_;
};

/// One rank's [S_r, B, heads, dim] of a whole tensor, held in some layout.
class HeldTensor {
 public:
  /// `perGroup`: query heads of a KV head, 1 for a KV tensor.
  HeldTensor(ulyssesDataType_t type, Hold hold, std::int64_t tokens, std::int64_t batch, std::int64_t heads,
             std::int64_t perGroup, std::int64_t dim, bool registered);

  void fill(const Whole& whole, const std::vector<std::int64_t>& positions);
  /// Adds this rank's tokens to a whole tensor; bytes between the elements must be untouched. "" or what is wrong.
  std::string read(const std::vector<std::int64_t>& positions, Whole* whole) const;
  ulyssesAttentionTensor_t toC() const;

 private:
  std::int64_t placeOf(std::int64_t s, std::int64_t b, std::int64_t h) const;

  ulyssesDataType_t type_;
  Hold hold_;
  std::int64_t tokens_, batch_, heads_, perGroup_, dim_;
  ulyssesStrides_t strides_{};
  std::size_t bytes_ = 0;
  std::unique_ptr<Block> block_;
};

}  // namespace ulysses::test
