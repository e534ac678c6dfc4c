// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Adding the partial values of ranks that shared a KV head, as a user without the library would: in float32 (float64
// for f64), rounded once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "data_type.h"

namespace ulysses::perf {

// target[i] = the sum of sources[..][i], for `elements` neighbouring elements.
void sumElements(const DataType& type, std::span<const std::byte* const> sources, std::byte* target, int64_t elements);

}  // namespace ulysses::perf
