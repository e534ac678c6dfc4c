// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What ranks tell each other over UCX beside chunks. Little-endian, as every host we run on is; kWireVersion covers it.
#pragma once
#include "path/record.h"

namespace ulysses {

/// UCX's message ids.
enum class UcxMessage : unsigned { Announce = 1, Credit, Cause, Depart, Proposal, Decision, Offer, Vote, Outcome };

/// An operation as its rank announces it. Then come, where the communicator verifies, kSeals hashes of what the
/// receiver gets; and when `hasRecord`, the CallRecord, `tokens` and `queryHeads` int64 each.
struct UcxAnnounce {
  int32_t from = 0;
  uint32_t poisoned = 0;
  uint64_t sequence = 0, callHash = 0, strideHash = 0, recordId = 0;
  uint32_t hasRecord = 0;  // 0: the receiver has the record of that id from one of the last kUcxRing announcements
  uint32_t tokens = 0, queryHeads = 0, nSeals = 0;
  uint64_t taken = 0;  // as UcxCredit
};

/// The receiver has used up so many chunks of the other's, in all.
struct UcxCredit {
  int32_t from = 0;
  uint32_t reserved = 0;
  uint64_t taken = 0;
};

struct UcxCause {
  int32_t from = 0;
  uint32_t reserved = 0;
  Cause cause;
};

/// The last message: the rank destroys its communicator, having finished operations up to `finished`.
struct UcxDepart {
  int32_t from = 0;
  uint32_t reserved = 0;
  uint64_t finished = 0;
};

// --- of new communicators, see Council

struct UcxProposal {
  int32_t from = 0;
  uint32_t reserved = 0;
  Proposal proposal;
};

/// To each rank its own.
struct UcxDecision {
  int32_t from = 0;
  uint32_t reserved = 0;
  uint64_t stamp = 0;
  Assignment assignment;
};

struct UcxOffer {
  int32_t from = 0;
  uint32_t reserved = 0;
  uint64_t stamp = 0;
  IdBytes id{};
};

/// To the head of a group, by a member.
struct UcxVote {
  int32_t from = 0;
  int32_t members = 0;  // of the group, which the voter confirms; 0: it gives up
  uint64_t stamp = 0;
};

/// By the head.
struct UcxOutcome {
  int32_t from = 0;
  uint32_t state = 0;  // a Ballot::State, not Open
  uint64_t stamp = 0;
};

}  // namespace ulysses
