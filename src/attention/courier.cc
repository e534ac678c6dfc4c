// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/courier.h"

#include <span>

#include "attention/clock.h"
#include "attention/strides.h"

namespace ulysses::attention {
namespace {

constexpr Role kThere[] = {Role::Query, Role::Key, Role::Value};
constexpr Role kThereBackward[] = {Role::Query, Role::Key, Role::Value, Role::OutputGradient, Role::Lse, Role::Delta};
constexpr Role kBack[] = {Role::Output, Role::Lse};
constexpr Role kBackBackward[] = {Role::QueryGradient, Role::KeyGradient, Role::ValueGradient};

std::span<const Role> rolesOf(bool scatter, bool backward) {
  if (backward) return scatter ? std::span<const Role>(kThereBackward) : kBackBackward;
  return scatter ? std::span<const Role>(kThere) : kBack;
}

}  // namespace

/// Of one group: a KV head of every rank, or, in place of the batch, several of every rank.
ulyssesGeometry_t Courier::geometry() const {
  ulyssesGeometry_t geometry = request_.geometry;
  if (request_.groups == 1) return geometry;
  const int64_t perKv = request_.groupHeads / request_.groupKvHeads;
  geometry.heads = request_.nRanks * perKv;
  geometry.kvHeads = request_.nRanks;
  geometry.queryHeads = nullptr;
  if (geometry.batch == 1) geometry.batch = request_.groupKvHeads;
  return geometry;
}

/// The caller's end of an exchange: of all heads, or of those of a group.
Courier::Operand Courier::operandOf(int group, Role role) const {
  const ulyssesAttentionTensor_t* const own = request_.callersTensor(role);
  Operand operand;
  if (own != nullptr && (own->data != nullptr || role != Role::Lse))
    operand = {static_cast<std::byte*>(own->data), own->layout, own->strides};
  else
    operand = {role == Role::Delta ? regions_.delta : regions_.lse, ulyssesLayoutSBHD, {}};
  if (request_.groups == 1) return operand;
  // KV head k of the group is KV head group * groupKvHeads + k of each rank's: one step among these, a wider one
  // from rank to rank.
  operand.strides = stridesOf(request_, role, operand.layout, operand.strides);
  operand.layout = ulyssesLayoutStrided;
  const int64_t step = operand.strides.group;
  if (operand.data != nullptr) operand.data += group * request_.groupKvHeads * step * bytesOf(request_.typeOf(role));
  if (request_.groupKvHeads > 1) operand.strides.batch = step;
  operand.strides.group = step * request_.groups * request_.groupKvHeads;
  return operand;
}

ulyssesTensor_t Courier::describe(int group, Role role, bool scatter) const {
  const Operand own = operandOf(group, role);
  std::byte* const gathered = regions_.of(group, role);
  ulyssesTensor_t tensor{};
  tensor.input = scatter ? own.data : gathered;
  tensor.output = scatter ? gathered : own.data;
  tensor.headDim = request_.dimOf(role);
  tensor.dtype = request_.typeOf(role);
  tensor.kind = request_.isKv(role) ? ulyssesTensorKv : ulyssesTensorQuery;
  tensor.inputLayout = scatter ? own.layout : ulyssesLayoutBHSD;
  tensor.outputLayout = scatter ? ulyssesLayoutBHSD : own.layout;
  (scatter ? tensor.inputStrides : tensor.outputStrides) = own.strides;
  if (!scatter && request_.isKv(role)) tensor.flags = ULYSSES_TENSOR_SUM;
  return tensor;
}

Courier::Ticket Courier::start(ulyssesOp_t op, int group) {
  const Spent spent(spentUs_);
  Ticket ticket;
  if (hasFailed()) {
    (void)ulyssesRefuse(op, failure_, failureText_.c_str(), comm_);
    ticket.refused = true;
    return ticket;
  }
  const bool scatter = op == ulyssesOpScatterHeads;
  ulyssesTensor_t tensors[ULYSSES_MAX_TENSORS];
  int nTensors = 0;
  for (const Role role : rolesOf(scatter, request_.backward)) tensors[nTensors++] = describe(group, role, scatter);
  const ulyssesGeometry_t whole = geometry();
  auto* const begin = scatter ? ulyssesScatterHeadsStart : ulyssesGatherHeadsStart;
  const ulyssesResult_t result = begin(&whole, tensors, nTensors, comm_, stream_, &ticket.request);
  if (result != ulyssesSuccess) {  // announced as invalid: peers learn of it when they wait for this exchange
    fail(result, ulyssesGetLastError(nullptr));
    ticket.refused = true;
  }
  return ticket;
}

bool Courier::wait(Ticket& ticket) {
  const Spent spent(spentUs_);
  if (ticket.refused) return false;
  const ulyssesResult_t result = ulyssesWait(&ticket.request);
  if (result != ulyssesSuccess) fail(result, ulyssesGetLastError(nullptr));
  return result == ulyssesSuccess;
}

void Courier::fail(ulyssesResult_t result, const std::string& text) {
  if (hasFailed()) return;  // the first reason is the one that helps
  failure_ = result;
  failureText_ = text;
}

}  // namespace ulysses::attention
