// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Sampled rows of an attention run against float64. Every input is known everywhere, so a row of any rank can be worked
// out anywhere, without a word to the library.
#pragma once

#include <vector>

#include "attention_rank.h"

namespace ulysses::perf {

struct Seen {
  int64_t begin, end;
};
// What token i sees; and which tokens see token j.
Seen seenBy(const Options& options, int64_t sequence, int64_t i);
Seen seeing(const Options& options, int64_t sequence, int64_t j);

// Of one rank: where its results are, of token s (its own count), batch entry, head.
struct Results {
  std::function<const std::byte*(Checked tensor, int64_t s, int64_t b, int64_t h)> row;
};

// Fills figures.squares. Rows of dK and dV need what all tokens that see theirs have; they are left out, with
// squares of 0, when that takes longer than some seconds.
void checkSamples(const Options& options, const Case& test, int rank, const Results& results,
                  AttentionFigures& figures);

// Whether dK and dV of the run are checked.
bool checksKeys(const Options& options, const Case& test);

}  // namespace ulysses::perf
