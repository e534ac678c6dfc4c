// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Single elements of a tensor: their size, their values, and the reference for sums on receive.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/rng.h"
#include "ulysses_coll.h"

namespace ulysses::test {

inline constexpr int kDataTypes = 10;

std::size_t bytesOf(ulyssesDataType_t type);
const char* nameOf(ulyssesDataType_t type);
bool canSum(ulyssesDataType_t type);

/// How to fill a tensor.
enum class Fill {
  Bits,           // any bit pattern, NaN payloads included: movement must keep every bit
  Finite,         // sums depend on the order, on the accumulator and on rounding once
  SmallIntegers,  // -4..4: sums and inner products are exact
};
void fillElement(Fill fill, ulyssesDataType_t type, Rng* rng, std::uint8_t* element);

/// Value of an element of a type that canSum(). Exact.
double decode(ulyssesDataType_t type, const std::uint8_t* element);

/// Nearest element, ties to even, beyond the largest finite value to infinity.
void encode(ulyssesDataType_t type, double value, std::uint8_t* element);

/// Sum in the order given: accumulated in float32 (float64 for f64), rounded once.
void sumElements(ulyssesDataType_t type, const std::vector<const std::uint8_t*>& terms, std::uint8_t* sum);

}  // namespace ulysses::test
