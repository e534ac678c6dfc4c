// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The element types of the exchange, by the names of the command line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ulysses_coll.h"

namespace ulysses::perf {

struct DataType {
  ulyssesDataType_t id;
  std::string_view name;
  int64_t bytes;
  bool summable;  // GatherHeads can add partial sums of it
};

std::span<const DataType> dataTypes();
const DataType* findDataType(std::string_view name);  // nullptr: no such name
std::string dataTypeNames();                          // "f64, f32, ..."

// Bits of the integer |value| <= 256 in a summable type; exact in each of them.
uint64_t encodeSmallInteger(const DataType& type, int64_t value);

}  // namespace ulysses::perf
