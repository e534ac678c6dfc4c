// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a rank tells its peers of one call. Fixed-size values without pointers: they cross processes, later hosts.
#pragma once
#include <array>
#include <cstdint>
#include <type_traits>

#include "plan/geometry.h"

namespace ulysses {

inline constexpr int kMaxTensors = 8;      // ULYSSES_MAX_TENSORS
inline constexpr int kMaxOutstanding = 8;  // operations in flight on one communicator
inline constexpr uint32_t kWireVersion = 3;
/// Where the counts of control messages begin: so near their wrap that it comes in every longer run, not after years.
inline constexpr uint32_t kMessagesAtStart = 0u - 64u;

struct TensorRecord {
  int32_t type = 0, kind = 0, sum = 0;
  int32_t inputOrder = 0, outputOrder = 0;  // dimensionOrder codes
  int32_t reserved = 0;
  int64_t headDim = 0;
  Strides input;  // this rank's own: needed by readers, not compared
};

/// The call as its rank understood it, or, when `poison` is not 0, why it could not be made.
struct CallRecord {
  int32_t operation = 0;
  int32_t nTensors = 0;
  int32_t order = 0;
  int32_t poison = 0;  // a Result
  int64_t sequence = 0, batch = 0, heads = 0, kvHeads = 0;
  int64_t nSequences = 0;
  uint64_t cuSeqlensHash = 0;
  uint64_t tag = 0;
  int32_t explicitTokens = 0, explicitQueryHeads = 0;  // whether the arrays in the slot count
  TensorRecord tensors[kMaxTensors];
  char poisonText[256] = {};
};
static_assert(std::is_trivially_copyable_v<CallRecord>);
static_assert(std::has_unique_object_representations_v<CallRecord>, "padding would make equal calls hash apart");

/// Hashes of what goes from one rank to another, when communicators verify: of each box, or of a run of them when there
/// are more.
inline constexpr int kSeals = 8;

/// Where a tensor is. segment 0: private memory, which only the same process can read.
struct TensorRef {
  uint64_t segment = 0;
  uint64_t offset = 0;
  uint64_t address = 0;
};

/// What a rank wants of a new communicator that is made of this one's ranks (split or shrink number `sequence`).
struct Proposal {
  uint64_t sequence = 0;
  int32_t color = 0, key = 0;
  uint64_t excludedHash = 0;  // of the ranks it leaves out; all must leave out the same
};

/// What the leader made of the proposals, for one rank.
struct Assignment {
  int32_t result = 0;             // a Result; not 0: no communicator, for the reason in `text`
  int32_t rank = -1, nRanks = 0;  // in the new communicator; rank -1: in none
  int32_t head = -1;              // the old rank of its first member, which offers the unique id
  int32_t lost = 0;               // how many ranks the leader knew to be lost
  char text[492] = {};
};

/// A unique id, as bytes.
using IdBytes = std::array<uint8_t, 128>;

/// Why a communicator became unusable; the first one holds for all ranks.
struct Cause {
  int32_t result = 0;
  int32_t rank = -1;  // who found it
  uint64_t sequence = 0;
  char text[1024] = {};
};

}  // namespace ulysses
