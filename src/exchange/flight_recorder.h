// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The last operations of a communicator, for the dump: a fixed array, always on. Its times are of the coarse clock
// (steps of a tick, 1 to 10 ms), which costs 5 ns to read where the precise one and the core's counter cost 15 and
// more, and is read only where an operation had to wait or moved much. With TRACE on times are precise.
#pragma once
#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/status.h"
#include "plan/geometry.h"

namespace ulysses {

/// What was called, in short.
struct CallSummary {
  int64_t sequence = 0, batch = 0, heads = 0, kvHeads = 0, headDim = 0;  // head_dim, type and orders: tensor 0
  int64_t bytesReceived = 0;
  int32_t inputOrder = 0, outputOrder = 0;  // dimensionOrder codes
  DataType type = DataType::F32;
  int32_t nTensors = 0;  // 0: the call was invalid here
};

/// How far an operation came at this rank.
enum class Phase : int8_t { Announced, Agreed, Moved, Closed };

/// One operation as it went.
struct alignas(64) FlightEntry {
  uint64_t sequence = 0;                                          // 0: none
  int64_t startedNs = 0, agreedNs = 0, movedNs = 0, endedNs = 0;  // monotonic; 0: not reached
  uint64_t lateCalls = 0, lateEnds = 0;  // peers it had to wait for, as bits: to call, to finish; the last bit for all
                                         // from 63 on
  Operation operation = Operation::ScatterHeads;
  Result result = Result::InProgress;
  Phase phase = Phase::Announced;
  bool waitedToMove = false;  // for chunks
  CallSummary call;
};

class FlightRecorder {
 public:
  static constexpr size_t kEntries = 256;

  FlightEntry& at(uint64_t sequence) noexcept { return entries_[sequence % kEntries]; }
  const FlightEntry& at(uint64_t sequence) const noexcept { return entries_[sequence % kEntries]; }

  void start(uint64_t sequence, Operation operation, const CallSummary& call, int64_t ns) noexcept {
    FlightEntry& entry = at(sequence);
    entry.sequence = sequence;
    entry.startedNs = ns;
    entry.agreedNs = entry.movedNs = entry.endedNs = 0;
    entry.lateCalls = entry.lateEnds = 0;
    entry.operation = operation;
    entry.result = Result::InProgress;
    entry.phase = Phase::Announced;
    entry.waitedToMove = false;
    entry.call = call;
  }
  static uint64_t bitOf(int peer) noexcept { return uint64_t{1} << (peer < 63 ? peer : 63); }

 private:
  std::array<FlightEntry, kEntries> entries_{};
};

}  // namespace ulysses
