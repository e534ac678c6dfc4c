// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Which tokens see which: causal, window and packed sequences. Pure. What a token sees is one range, and neither of its
// ends falls from a token to the next; so ranges of a tile's first and last token decide about the whole tile.
#pragma once
#include <ulysses_attention.h>

#include <algorithm>
#include <cstdint>

namespace ulysses::attention {

/// Tokens [begin, end).
struct Range {
  int64_t begin = 0, end = 0;
  bool empty() const { return begin >= end; }
  bool covers(Range other) const { return begin <= other.begin && other.end <= end; }
  bool operator==(const Range&) const = default;
};
inline Range meet(Range a, Range b) { return {std::max(a.begin, b.begin), std::min(a.end, b.end)}; }

class Mask {
 public:
  explicit Mask(const ulyssesLocalAttention_t& problem);

  /// What a token sees. Tokens outside all packed sequences see nothing.
  Range seenBy(int64_t token) const noexcept;

  /// From the first to the last token that any of `tokens` (not empty) sees.
  Range seenByAny(Range tokens) const noexcept;

  /// Whether each of `tokens` sees all of `others`; both are not empty.
  bool allSee(Range tokens, Range others) const noexcept;

 private:
  Range sequenceOf(int64_t token) const noexcept;

  int64_t tokens_, left_, right_;  // left_, right_: negative without a bound
  const int64_t* cuSeqlens_;
  int64_t nSequences_;
};

}  // namespace ulysses::attention
