// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ulysses {

/// Element types; values are those of ulyssesDataType_t (static_assert in api/translate.cc).
enum class DataType : int32_t { F64, F32, F16, BF16, F8E4M3, F8E5M2, I8, U8, I32, I64 };
inline constexpr int kDataTypeCount = 10;

constexpr int64_t sizeOf(DataType type) {
  constexpr int64_t kBytes[kDataTypeCount] = {8, 4, 2, 2, 1, 1, 1, 1, 4, 8};
  return kBytes[static_cast<int32_t>(type)];
}

/// Short lower-case name as the tools print it.
constexpr const char* nameOf(DataType type) {
  constexpr const char* kNames[kDataTypeCount] = {"f64",    "f32", "f16", "bf16", "f8e4m3",
                                                  "f8e5m2", "i8",  "u8",  "i32",  "i64"};
  return kNames[static_cast<int32_t>(type)];
}

/// Whether replica sums are defined for it.
constexpr bool isSummable(DataType type) { return static_cast<int32_t>(type) <= static_cast<int32_t>(DataType::BF16); }

}  // namespace ulysses
