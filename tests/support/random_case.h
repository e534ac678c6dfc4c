// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "support/case.h"

namespace ulysses::test {

enum class Profile {
  Any,      // everything that is legal
  Sums,     // GatherHeads with KV heads shared by ranks, values where order and rounding matter
  Adjoint,  // ScatterHeads of small integers in types that can be summed
};

/// The same case for the same arguments, on every machine. Always valid.
Case drawCase(Profile profile, std::uint64_t seed, std::int64_t index, int nRanks);

/// The collective that leads back, in layouts of its own. Shared KV heads are summed.
Case drawAdjoint(const Case& forward);

/// The collective that leads back, its inputs laid out as the outputs of `forward`. Needs unshared KV heads.
Case drawInverse(const Case& forward);

}  // namespace ulysses::test
