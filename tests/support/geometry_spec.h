// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ulysses_coll.h"

namespace ulysses::test {

/// A geometry that owns its arrays. Empty vectors stand for NULL.
struct GeometrySpec {
  std::int64_t sequence = 0;
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  std::int64_t kvHeads = 0;
  std::int32_t order = ulyssesOrderContiguous;  // not the enum: a test may ask for an order that does not exist
  std::vector<std::int64_t> tokens;
  std::vector<std::int64_t> queryHeads;
  std::vector<std::int64_t> cuSeqlens;
  std::int64_t nSequences = 0;  // stored apart from cuSeqlens, so that a test can make the two disagree

  /// The C struct. Points into this object, which must stay where it is.
  ulyssesGeometry_t toC() const;
};

/// "1 2 3" in brackets, or "NULL" when empty.
std::string toText(const std::vector<std::int64_t>& values);
std::string toText(const GeometrySpec& geometry);

}  // namespace ulysses::test
