// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "case.h"
#include "path/cuda/copy_choice.h"

namespace ulysses::test {

enum class BenchTensors { kOne, kQkv, kSum };  // a query tensor; Q, K and V; a KV tensor whose replicas are added

/// bf16, contiguous in one layout on both sides, split equally.
struct BenchCase {
  const char* name;
  Operation operation = Operation::ScatterHeads;
  int nRanks = 2;
  std::int64_t sequence = 8192, batch = 1;
  std::int64_t heads = 32, kvHeads = 32, headDim = 128;
  BenchTensors tensors = BenchTensors::kOne;
  ulyssesLayout_t layout = ulyssesLayoutSBHD;  // or BSHD
  Engine engine = Engine::Sm;
  bool urgent = false;  // its streams have the greatest priority
};

/// What is asked of a GPU; 0: nothing. Of the rate of copies within the device, how much an exchange has at least.
double copyTargetOf(const BenchCase& run);
/// How many times faster than the permutation, by how many passes over memory that takes.
double permuteTargetOf(const BenchCase& run, int passes);
/// Of one small exchange in the replay of a graph, at most.
inline constexpr double kGraphTargetUs = 10;

/// As the library plans it, and as ulysses_perf describes it to what it compares with.
std::unique_ptr<Plan> planOf(const BenchCase& run, int rank);
perf::Case perfCaseOf(const BenchCase& run);
/// Nothing for Engine::Sm. Throws where copy engines cannot take the case.
CopyChoice copiesOf(const BenchCase& run, const Plan& plan);

}  // namespace ulysses::test
