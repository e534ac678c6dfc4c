// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ulysses::test {

/// What the flags of the program say: --cases N, --seed S, --first I; also ULYSSES_TEST_CASES and ULYSSES_TEST_SEED.
struct AttentionFlags {
  std::int64_t cases = 0;  // 0: the test's own number
  std::uint64_t seed = 1;
  std::int64_t first = 0;
};
extern AttentionFlags attentionFlags;  // set once, before the tests

}  // namespace ulysses::test
