// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Random local attention problems with tensors in any order of axes, with gaps between rows.
#pragma once
#include <ulysses_attention.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "support/rng.h"

namespace ulysses::attention::test {

using ulysses::test::Rng;

/// A tensor [S, B, H, D] of f32, f16 or bf16. Bytes that no element has are filled with a pattern.
class Tensor {
 public:
  Tensor() = default;
  /// Dense, axes in this order.
  Tensor(ulyssesDataType_t dtype, std::array<int64_t, 4> shape);
  /// Order of axes and gaps are drawn.
  Tensor(Rng& rng, ulyssesDataType_t dtype, std::array<int64_t, 4> shape);

  double get(int64_t s, int64_t b, int64_t h, int64_t d) const;
  void set(int64_t s, int64_t b, int64_t h, int64_t d, double value);  // rounded to the type
  template <class Value>
  void fill(const Value& value) {
    for (int64_t s = 0; s < shape_[0]; ++s)
      for (int64_t b = 0; b < shape_[1]; ++b)
        for (int64_t h = 0; h < shape_[2]; ++h)
          for (int64_t d = 0; d < shape_[3]; ++d) set(s, b, h, d, value(s, b, h, d));
  }
  const std::array<int64_t, 4>& shape() const { return shape_; }
  /// From head `head` on.
  ulyssesLocalTensor_t view(int64_t head = 0);
  /// Whether the bytes outside all elements have their pattern still.
  bool gapsIntact() const;
  bool operator==(const Tensor& other) const { return bytes_ == other.bytes_; }

 private:
  size_t offset(int64_t s, int64_t b, int64_t h, int64_t d) const;

  ulyssesDataType_t dtype_ = ulyssesFloat32;
  std::array<int64_t, 4> shape_{}, strides_{};  // in elements
  std::vector<std::byte> bytes_;
};

/// Memory for a workspace.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t bytes)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment))) {
    if (!memory_) throw std::bad_alloc();
  }
  std::byte* data() const { return memory_.get(); }

 private:
  static constexpr size_t kAlignment = 64;
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
};

/// A problem with its memory. All inputs are what the header says they are: LSE and delta come from the reference.
struct Case {
  ulyssesLocalAttention_t problem;  // pointers by of()
  std::vector<int64_t> cuSeqlens;
  std::vector<float> sinks, slopes, sinkGradients;
  Tensor query, key, value, outputGradient, lse, delta;                   // inputs; lse and delta of the backward pass
  Tensor output, computedLse, queryGradient, keyGradient, valueGradient;  // outputs

  /// The problem of KV heads [first, first + count) and their query heads, forward or backward, without a workspace.
  ulyssesLocalAttention_t of(bool backward, int64_t first, int64_t count);
  ulyssesLocalAttention_t of(bool backward) { return of(backward, 0, problem.kvHeads); }
  std::string text() const;
};

Case randomCase(Rng& rng, ulyssesDataType_t dtype, int64_t longest);

}  // namespace ulysses::attention::test
