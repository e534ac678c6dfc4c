// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "exchange/prepared_call.h"
#include "kernels/kernels.h"

namespace ulysses {

/// The caller's memory in one operation, and how peers find the inputs.
struct TensorMemory {
  const std::byte* input[kMaxTensors];
  std::byte* output[kMaxTensors];
};

/// One started operation.
struct Pending {
  enum class State {
    Idle,       // nothing, or a result that was collected
    Announced,  // waiting for the peers' announcements
    Moving,     // all agree: bytes move
    Closing,    // this rank has read all it needs, waiting for the peers
    Done        // result is there to be collected
  };
  State state = State::Idle;
  Result result = Result::Success;
  uint64_t sequence = 0;
  PreparedCall* call = nullptr;  // null: poisoned
  Operation operation = Operation::ScatterHeads;
  Deadline deadline;
  TensorMemory memory{};
  TensorRef refs[kMaxTensors];
  std::vector<uint64_t> seals;  // [nRanks][kSeals] of what each rank gets, when ranks verify
  kernels::Store store = kernels::Store::Cached;
  bool abandoned = false;  // nobody will collect the result
};

}  // namespace ulysses
