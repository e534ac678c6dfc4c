// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A call as a line for the shell: the ulysses_perf that runs the same exchange, to have a failure again by itself.
#pragma once
#include <string>

#include "plan/plan.h"

namespace ulysses {

/// A tensor as the tool can make it. `layouts`: bits of Layout; none when input or output has strides of its own.
struct ReproTensor {
  DataType type = DataType::F32;
  TensorKind kind = TensorKind::Query;
  int64_t headDim = 1;
  uint32_t layouts = 0;
};
enum ReproLayout : uint32_t { kReproSbhd = 1, kReproBshd = 2, kReproBhsd = 4 };

enum class ReproMemory { Unknown, Plain, Registered };

/// What the tool cannot express stands behind a "#": the line then runs the nearest exchange that it can.
std::string reproductionLine(Operation operation, const Geometry& geometry, std::span<const ReproTensor> tensors,
                             ReproMemory memory);

/// Of a plan; layouts are those of the plan's rank.
std::string reproductionLine(const Plan& plan, ReproMemory memory);

}  // namespace ulysses
