// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a call of the operator asks for, checked and resolved.
#pragma once
#include <string>

#include "attention/failure.h"

namespace ulysses::attention {

/// The tensors of a call, in the order in which exchanges have them.
enum class Role { Query, Key, Value, OutputGradient, Lse, Delta, Output, QueryGradient, KeyGradient, ValueGradient };
inline constexpr int kRoles = 10;

struct Request {
  bool backward = false;
  int nRanks = 1, rank = 0;
  ulyssesGeometry_t geometry{};  // the caller's; its tag takes in the options
  ulyssesSplit_t split{};
  ulyssesAttentionTensors_t tensors{};
  ulyssesAttentionOptions_t options{};  // scale, threads, local: resolved

  /// Heads travel and are computed in so many groups, each with so many KV heads of every rank. Where
  /// options.headGroups is 0: in one, unless useGroups says otherwise.
  int groups = 1;
  int64_t groupKvHeads = 0, groupHeads = 0;

  int64_t dimOf(Role role) const;
  ulyssesDataType_t typeOf(Role role) const;
  bool isKv(Role role) const;
  int64_t headsOf(Role role) const { return isKv(role) ? groupKvHeads : groupHeads; }  // in a group, at this rank
  /// The role's tensor of the caller; null for delta, which is the operator's own.
  const ulyssesAttentionTensor_t* callersTensor(Role role) const;
  /// Whether no element is attended at this rank: no heads, tokens or batch.
  bool isIdle() const { return groupHeads == 0 || geometry.sequence == 0 || geometry.batch == 0; }
};

const char* nameOf(Role role);
int64_t bytesOf(ulyssesDataType_t type);

/// Throws InvalidArgument. `options` may be null. `withData`: the pointers of tensors must be there.
Request resolve(const ulyssesGeometry_t* geometry, const ulyssesAttentionTensors_t* tensors,
                const ulyssesAttentionOptions_t* options, bool backward, int nRanks, int rank, bool withData);

/// How many head groups pay where a network lies between ranks (docs/attention.md): of what all ranks agree on, so all
/// come to the same. 1 where options.headGroups says how many.
int groupsOverNetwork(const Request& request);

/// Heads in so many groups, which must fit.
void useGroups(Request& request, int groups);

/// What all ranks must agree on beyond geometry and tensors, for a text.
std::string describeOptions(const Request& request);

}  // namespace ulysses::attention
