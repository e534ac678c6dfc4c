// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernels once more as plain loops: what tests/kernel holds them against. Shares no code with them.
#pragma once
#include "kernels/kernels.h"

namespace ulysses::kernels {

void copyRowsReference(const RowCopy& copy) noexcept;
void mergeRowsReference(const RowMerge& merge) noexcept;
void sumRowsReference(const RowSum& sum) noexcept;

/// Value of the element at `from`; F64, F32, F16 and BF16.
double elementReference(const std::byte* from, DataType type) noexcept;

}  // namespace ulysses::kernels
