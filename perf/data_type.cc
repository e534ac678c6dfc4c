// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "data_type.h"

#include <array>
#include <bit>

namespace ulysses::perf {
namespace {

constexpr std::array<DataType, 10> kTypes = {{{ulyssesFloat64, "f64", 8, true},
                                              {ulyssesFloat32, "f32", 4, true},
                                              {ulyssesFloat16, "f16", 2, true},
                                              {ulyssesBfloat16, "bf16", 2, true},
                                              {ulyssesFloat8e4m3, "f8e4m3", 1, false},
                                              {ulyssesFloat8e5m2, "f8e5m2", 1, false},
                                              {ulyssesInt8, "i8", 1, false},
                                              {ulyssesUint8, "u8", 1, false},
                                              {ulyssesInt32, "i32", 4, false},
                                              {ulyssesInt64, "i64", 8, false}}};

uint64_t encodeHalf(int64_t value) {
  if (value == 0) return 0;
  const auto magnitude = static_cast<uint64_t>(value < 0 ? -value : value);
  const auto exponent = static_cast<int>(std::bit_width(magnitude)) - 1;
  const uint64_t mantissa = (magnitude << (10 - exponent)) & 0x3ff;
  return (value < 0 ? 0x8000u : 0u) | static_cast<uint64_t>(exponent + 15) << 10 | mantissa;
}

}  // namespace

std::span<const DataType> dataTypes() { return kTypes; }

const DataType* findDataType(std::string_view name) {
  for (const DataType& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::string dataTypeNames() {
  std::string names;
  for (const DataType& type : kTypes) names.append(names.empty() ? "" : ", ").append(type.name);
  return names;
}

uint64_t encodeSmallInteger(const DataType& type, int64_t value) {
  switch (type.id) {
    case ulyssesFloat64:
      return std::bit_cast<uint64_t>(static_cast<double>(value));
    case ulyssesFloat16:
      return encodeHalf(value);
    case ulyssesBfloat16:
      return std::bit_cast<uint32_t>(static_cast<float>(value)) >> 16;
    default:
      return std::bit_cast<uint32_t>(static_cast<float>(value));
  }
}

}  // namespace ulysses::perf
