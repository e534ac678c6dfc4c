// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/flash/mask.h"

namespace ulysses::attention {

Mask::Mask(const ulyssesLocalAttention_t& problem)
    : tokens_(problem.sequence),
      left_(problem.windowLeft),
      right_(problem.causal ? 0 : problem.windowRight),
      cuSeqlens_(problem.cuSeqlens),
      nSequences_(problem.nSequences) {}

Range Mask::sequenceOf(int64_t token) const noexcept {
  if (!cuSeqlens_) return {0, tokens_};
  const int64_t* const last = cuSeqlens_ + nSequences_;
  const int64_t* const end = std::upper_bound(cuSeqlens_, last + 1, token);
  if (end == cuSeqlens_) return {0, 0};
  if (end > last) return {*last, *last};
  return {end[-1], *end};
}

Range Mask::seenBy(int64_t token) const noexcept {
  Range seen = sequenceOf(token);
  if (seen.empty()) return seen;
  // Compared as distances: a bound may be as large as its type.
  if (left_ >= 0 && left_ < token - seen.begin) seen.begin = token - left_;
  if (right_ >= 0 && right_ < seen.end - 1 - token) seen.end = token + right_ + 1;
  return seen;
}

Range Mask::seenByAny(Range tokens) const noexcept { return {seenBy(tokens.begin).begin, seenBy(tokens.end - 1).end}; }

bool Mask::allSee(Range tokens, Range others) const noexcept {
  return seenBy(tokens.end - 1).begin <= others.begin && others.end <= seenBy(tokens.begin).end;
}

}  // namespace ulysses::attention
