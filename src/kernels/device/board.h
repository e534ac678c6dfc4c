// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The device memory through which ranks agree on an exchange, without their hosts. Each rank has a board in its own
// GPU's memory and maps its peers'; a rank polls its own board only, and writes to its peers'.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/device/portable.h"

namespace ulysses::device {

inline constexpr int kTensors = 8;  // of one exchange, as many as the host's records have

/// Where a tensor is, for peers that write it (outputs) or read it (inputs that are summed).
struct TensorPlace {
  uint64_t segment = 0;        // index in the owner's row of the segment table
  int64_t offset = 0;          // bytes, of the tensor's pointer
  int64_t begin = 0, end = 0;  // bytes relative to the pointer that the shard touches; equal: nothing
  int64_t strides[4] = {};     // bytes: token, batch, group, head; 0 where there is nothing to step along
  uint64_t alignment = 1;      // bytes, at most 16: divides strides and rows
};

/// What a rank says of a call before any byte moves.
struct Letter {
  uint64_t callHash = 0;  // of what must agree
  uint64_t poison = 0;    // not 0: this rank could not make the call
  TensorPlace tensors[kTensors];
};

/// A word that others poll, alone on its line.
struct alignas(128) Flag {
  uint32_t value;
};

/// A letter and the epoch it is of. One is enough: a rank writes the next only when all have said that they are done
/// with this one, and they say so after their last look at it.
struct alignas(128) Slot {
  uint32_t ready;
  Letter letter;
};

/// A board as it lies in memory: Local, a Slot and a Flag (done) from each rank. All zero at first, but for the epoch.
class Board {
 public:
  /// What only its owner uses, but `revoked`, which anybody sets.
  struct alignas(128) Local {
    uint32_t epoch;     // of the last exchange
    uint32_t arrivals;  // thread blocks that have finished their part of this one
    uint32_t claimed;   // whether trouble was reported
    uint64_t ended;     // the number of the last launch that ended well
    Flag revoked;       // not 0: no exchange any more
  };

  ULYSSES_HOST_DEVICE Board(std::byte* data, int nRanks) : data_(data), nRanks_(nRanks) {}
  static size_t bytesFor(int nRanks) {
    return sizeof(Local) + static_cast<size_t>(nRanks) * (sizeof(Slot) + sizeof(Flag));
  }
  ULYSSES_HOST_DEVICE Local& local() const { return *reinterpret_cast<Local*>(data_); }
  ULYSSES_HOST_DEVICE Slot& from(int rank) const { return reinterpret_cast<Slot*>(data_ + sizeof(Local))[rank]; }
  ULYSSES_HOST_DEVICE Flag& done(int rank) const { return reinterpret_cast<Flag*>(&from(nRanks_))[rank]; }

 private:
  std::byte* data_;
  int nRanks_;
};

/// Memory of a peer as this rank maps it; base null: not known.
struct Segment {
  std::byte* base = nullptr;
  int64_t bytes = 0;
};

enum class Trouble : uint32_t { kNone, kTimeout, kMismatch, kPoison, kRevoked, kUnknownMemory, kAsymmetric };

/// The first trouble of a rank, in memory that its host reads. `state` is written last.
struct Report {
  uint32_t state;  // a Trouble
  int32_t peer;
  uint32_t epoch;
  uint32_t whileClosing;  // a timeout: after the bytes had moved
  uint64_t own, theirs;   // a mismatch: the hashes; a poison: theirs; memory: theirs is the tensor's index
};

}  // namespace ulysses::device
