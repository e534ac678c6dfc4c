// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstring>

#include "comm/call.h"
#include "ulysses_coll.h"

namespace ulysses::api {

/// The number in an enum that came from C, where any int fits: to read it as the enum would be undefined when it is
/// none of its values.
template <typename Enum>
int numberOf(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

/// Public values as internal ones. Each throws InvalidArgument naming the field, its value and what it may be.
Geometry translateGeometry(const ulyssesGeometry_t* geometry, int nRanks);
void translateCall(Operation operation, const ulyssesGeometry_t* geometry, const ulyssesTensor_t* tensors, int nTensors,
                   int nRanks, Call& call);

}  // namespace ulysses::api
